"""Run a check, and leave its results where the user finds them."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from datamodules.cache import cache_folder
from datamodules.integrity.check import CheckResult, CheckSettings, check_data_set
from pipeline.check_report import JSON_NAME, PAGE_NAME, exit_code, lines, save_json
from pipeline.config.errors import UsageError

log = logging.getLogger(__name__)


def run_check(data: Path, settings: CheckSettings, *, output: Path | None, workers: int, cache_dir: Path | None) -> int:
    """Check a data set of volumes or of poses.

    Args:
        data: The data set.
        settings: How to read it.
        output: Folder for the results; None makes one named after the data in the working folder.
        workers: Processes.
        cache_dir: Where what was read is kept; None takes that of training.

    Returns:
        The exit code.

    Raises:
        UsageError: The output cannot be a folder.
    """
    folder = output or Path(f"check-{data.resolve().name.removesuffix('.csv')}")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder}: expected a folder, found a file")
    started = time.monotonic()
    cache = cache_folder(cache_dir)
    cache.mkdir(parents=True, exist_ok=True)
    result = check_data_set(data, settings, cache, workers)
    folder.mkdir(parents=True, exist_ok=True)
    save_json(folder / JSON_NAME, result, seconds=time.monotonic() - started)
    written = [folder / JSON_NAME, *_page(folder, result)]
    for line in lines(result):
        log.info("%s", line)
    log.info("see %s", " and ".join(str(path) for path in written))
    return exit_code(result)


def _page(folder: Path, result: CheckResult) -> list[Path]:
    from pipeline.check_page import write_page

    write_page(folder / PAGE_NAME, result)
    return [folder / PAGE_NAME]
