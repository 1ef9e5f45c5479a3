"""Look at a data set and write a config for it, with the reason of each value."""

import logging
from pathlib import Path
from typing import Literal

log = logging.getLogger(__name__)


def plan(
    data: Path,
    /,
    output: Path,
    memory: str | None = None,
    time: str | None = None,
    device: str = "auto",
    workers: int = 2,
    cache_dir: Path | None = None,
    labels: dict[str, int | list[int]] | None = None,
    group_pattern: str | None = None,
    slice_spacing_mm: list[float] | None = None,
    sheared: Literal["refuse", "resample"] = "refuse",
    overwrite: bool = False,
) -> int:
    """Write a config for a data set that `pipeline train --config` takes as it is.

    Reads all cases and checks them, takes their fingerprint (shapes, spacings, intensities, structures), and chooses
    what fits the data, the memory and the time. What a training step takes is measured with the chosen network in a
    process of its own, a few times at most. The config has the reason of each value as a comment; the fingerprint is
    written beside it, as NAME.fingerprint.json.

    Args:
        data: Folder of the data set, or a CSV table of paths - volumes and images with labels, or keypoints.
        output: The config to write, such as my.yaml.
        memory: What the training may take, such as 8GiB; 80 % of what is free on the device if not given.
        time: Length of the training, such as 45m, 1h or 2d. The last validation, of whole cases from their files, comes
            after it; where that takes over a tenth it is taken off, half of the time at most. If not given, what the
            network needs for 1000 steps on a CPU (2000 for keypoints) and 25000 on a GPU.
        device: auto, cpu, cuda or cuda:N.
        workers: Processes that read; 0 reads in this one.
        cache_dir: Where what was read is kept; by default .cache/segpose-pipeline in the home folder.
        labels: Names and values of the structures, as {membrane: 0, cell: 255}, where the data set does not give them;
            without it the values are found out.
        group_pattern: Regular expression whose first group, found in a case's name, is its patient.
        slice_spacing_mm: Spacing along X, Y, Z of stacks and folders of slices, as 0.5 0.5 2.
        sheared: What training shall do with volumes whose axes are not at right angles: refuse them, or resample them.
        overwrite: Replace the output if it is there.

    Returns:
        The exit code: 0 if the config was written.

    Raises:
        UsageError: If the options cannot be, or the memory does not suffice for any network.
        DataError: If the data cannot be trained on; all that is wrong is named.

    Examples:
        pipeline plan DATA --output my.yaml
        pipeline plan DATA --output my.yaml --memory 8GiB --time 1h --device cpu
        pipeline plan cases.csv --output my.yaml --labels '{liver: 1, tumour: 2}'
    """
    from pipeline.config.errors import UsageError
    from pipeline.config.spacing import stated_spacing
    from pipeline.planning.budget import Budget
    from pipeline.planning.machine import describe_machine
    from pipeline.planning.plan import Options
    from pipeline.planning.quantities import parse_bytes, parse_seconds
    from pipeline.planning.reserve import Reserve
    from pipeline.planning.run import end_of_plan, run_plan

    if output.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--output: expected a file such as my.yaml, found {output}")
    if workers < 0:
        raise UsageError(f"--workers: expected 0 or more, found {workers}")
    if not data.exists():
        raise UsageError(f"--data {data}: no such file or folder")
    amounts: dict[str, float] = {}
    for name, text, parse in (("memory", memory, parse_bytes), ("time", time, parse_seconds)):
        try:
            if text is not None:
                amounts[name] = parse(text)
        except ValueError as error:
            raise UsageError(f"--{name}: {error}") from error
    try:
        machine = describe_machine(device)
    except ValueError as error:
        raise UsageError(f"--device: {error}") from error
    options = Options(
        root=data,
        machine=machine,
        memory_bytes=int(amounts["memory"]) if memory else None,
        budget=Budget(machine.kind, amounts.get("time")),
        workers=workers,
        cache_dir=cache_dir,
        labels=labels,
        group_pattern=group_pattern,
        spacing_mm=stated_spacing(slice_spacing_mm),
        sheared=sheared,
        reserve=Reserve(on_gpu=machine.kind == "cuda"),
    )
    written = run_plan(options, output, overwrite=overwrite)
    for warning in written.warnings:
        log.warning("%s", warning)
    log.info("%s", end_of_plan(written, output))
    return 0
