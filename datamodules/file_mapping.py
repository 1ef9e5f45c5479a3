"""Read many files in threads, with a progress bar, and all failures told in one error."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tqdm.auto import tqdm

from datamodules.formats.errors import DataError

Result = TypeVar("Result")


def map_files(
    function: Callable[[Path], Result],
    files: Sequence[Path],
    workers: int,
    description: str,
    keep: Callable[[Path, Result], None] | None = None,
) -> dict[Path, Result]:
    """Apply a function to files in threads; what it returns is handed on in their order, few at a time in memory.

    Args:
        function: Reads one file.
        files: What to read.
        workers: Number of threads, at least one.
        description: Text before the progress bar.
        keep: Takes each file with its result, in this thread.

    Returns:
        The results by file, in order; nothing where `keep` takes them.

    Raises:
        DataError: If it fails for files: one error that names each.
    """
    results: dict[Path, Result] = {}
    failures: list[DataError] = []
    for path, future in tqdm(
        _in_order(function, files, workers), desc=description, total=len(files), unit="image", disable=None
    ):
        try:
            (keep or results.__setitem__)(path, future.result())
        except DataError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        listed = "".join(f"\n  {error}" for error in failures)
        found = f"{len(failures)} of {len(files)} that are not:{listed}\n"
        raise DataError(failures[0].path.parent, "every image to be usable", found, "mend them or take them out")
    return results


def _in_order(
    function: Callable[[Path], Result], files: Sequence[Path], workers: int
) -> Iterator[tuple[Path, Future[Result]]]:
    waiting: deque[tuple[Path, Future[Result]]] = deque()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for path in files:
            waiting.append((path, pool.submit(function, path)))
            if len(waiting) > 4 * max(1, workers):
                yield waiting.popleft()
        yield from waiting
