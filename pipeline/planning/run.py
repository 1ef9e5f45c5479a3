"""Plan a data set of either kind, and write config and fingerprint."""

from __future__ import annotations

import json
import logging
import shlex
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from datamodules.annotations.detection import FORMATS, look
from datamodules.formats.atomic import write_atomically
from pipeline.config.errors import UsageError
from pipeline.config.strict_yaml import load_strict
from pipeline.planning.noted import Verbatim, plain, render
from pipeline.planning.plan import Options, Plan
from pipeline.planning.pose import plan_pose
from pipeline.planning.segmentation import plan_segmentation
from pipeline.planning.trial import start_server

log = logging.getLogger(__name__)


def run_plan(options: Options, output: Path, *, overwrite: bool = False) -> Plan:
    """Plan a data set and write the config, with the fingerprint as JSON beside it.

    Args:
        options: What the user says.
        output: The config's file.
        overwrite: Whether files that are there are replaced.

    Raises:
        UsageError: If a file is there already, or the options do not fit.
        DataError: If the data set cannot be planned for.
    """
    files = (output, fingerprint_path(output))
    taken = [str(path) for path in files if path.exists()]
    if taken and not overwrite:
        raise UsageError(
            f"--output {output}: {' and '.join(taken)} exist already; name another file or add --overwrite"
        )
    _ = options.limits  # memory that cannot suffice is refused before anything is read
    start_server()  # while the data is looked at
    kind = kind_of(options.root)
    log.info("%s holds %s; planning for %s", options.root, _KINDS[kind], options.machine.name)
    options = replace(options, budget=replace(options.budget, task=kind))
    plan = plan_pose(options) if kind == "pose" else plan_segmentation(options)
    text = config_text(plan, options.root, output)
    if load_strict(text) != plain(plan.tree):
        raise RuntimeError("the config that was written is not read as it was planned")
    output.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(files[1], (json.dumps(plan.fingerprint, indent=2) + "\n").encode())
    write_atomically(output, text.encode())
    return plan


_KINDS = {"pose": "annotated keypoints", "segmentation": "images with labels"}


def kind_of(root: Path) -> Literal["pose", "segmentation"]:
    """Tell keypoints from images with labels, by what is in the files.

    Raises:
        DataError: If there is nothing at that path.
    """
    return "pose" if look(root, FORMATS).candidates else "segmentation"


def fingerprint_path(output: Path) -> Path:
    """Return the file of the fingerprint that goes with a config."""
    return output.with_name(f"{output.name.removesuffix('.yaml').removesuffix('.yml')}.fingerprint.json")


def config_text(plan: Plan, root: Path, output: Path) -> str:
    """Return a config with its reasons as it is written."""
    header = (
        f"Planned by `pipeline plan` {version('segpose-pipeline')} for {root}. Train with:",
        Verbatim(f"  {train_command(output)}"),
        *plan.header,
    )
    return render(plan.tree, header)


def train_command(output: Path) -> str:
    """Return what to run next."""
    return f"pipeline train --config {shlex.quote(str(output))}"


def end_of_plan(plan: Plan, output: Path) -> str:
    """Return the last lines of the command."""
    return "\n".join(
        [
            f"Planned: {output}, with the reason of each value; the data in numbers: {fingerprint_path(output)}",
            *(f"  {name:9} {text}" for name, text in plan.summary),
            f"Train with:  {train_command(output)}",
        ]
    )
