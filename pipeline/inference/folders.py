"""What commands that work through inputs check before they begin, and say when they are done."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pipeline.config.errors import UsageError
from pipeline.report import Report

log = logging.getLogger(__name__)


def check_folders(inputs: Sequence[Path], output: Path) -> None:
    """Refuse inputs that are not there, and an output that would mix with one of them.

    Raises:
        UsageError: Names the option.
    """
    if not inputs:
        raise UsageError("--input: expected files or folders, found none")
    for source in inputs:
        if not source.exists():
            raise UsageError(f"--input {source}: no such file or folder")
        folder = source if source.is_dir() else source.parent
        if output.resolve() == folder.resolve():
            raise UsageError(f"--output {output}: is the folder of the input; name another one")
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output}: expected a folder, found a file")


def summarise(report: Report, results: tuple[str, Path], output: Path) -> None:
    """Log what became of the cases and where everything is.

    Args:
        report: Of the finished command.
        results: What its results are called, and where they lie.
        output: The folder of report.json.
    """
    counts = ", ".join(f"{report.count(status)} {status}" for status in ("done", "skipped", "failed"))
    log.info("%s in %s", counts, timedelta(seconds=round(report.seconds)))
    for case in report.cases:
        if case.status == "failed":
            log.info("  failed  %s", case.id)
    name, place = results
    log.info("  %-7s %s\n  report  %s", name, place, output / "report.json")
