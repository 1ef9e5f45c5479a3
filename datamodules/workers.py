"""Work on many cases in worker processes, with a progress bar, and all failures told in one error."""

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import BaseContext
from typing import TypeVar

import torch
from tqdm.auto import tqdm

from datamodules.cases import Case
from datamodules.formats.errors import DataError

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Failure:
    """Why a case failed."""

    message: str


def map_cases(
    function: Callable[[Case], Result], cases: Sequence[Case], *, workers: int, description: str
) -> dict[str, Result]:
    """Apply a function to every case.

    Args:
        function: A picklable function, as it is sent to fresh processes.
        cases: What to work on.
        workers: Number of processes; 0 works in this one.
        description: Text before the progress bar.

    Returns:
        By case id, what the function returned, in the order of the cases.

    Raises:
        DataError: If cases fail: one error that names each with its reason; or if a worker is killed.
    """
    guarded = partial(_guard, function)
    outcomes: dict[str, Result | _Failure] = {}
    # disable=None shows the bar on a terminal only.
    with tqdm(total=len(cases), desc=description, unit="case", disable=None) as progress:
        pairs = _in_processes(guarded, cases, workers) if workers and cases else _in_turn(guarded, cases)
        for case, outcome in pairs:
            outcomes[case.id] = outcome
            progress.update()
    failures = {key: value.message for key, value in outcomes.items() if isinstance(value, _Failure)}
    if failures:
        raise _summary(cases, failures)
    results = {key: value for key, value in outcomes.items() if not isinstance(value, _Failure)}
    return {case.id: results[case.id] for case in cases}


def _guard(function: Callable[[Case], Result], case: Case) -> Result | _Failure:
    """Turn what the data or the disk are to blame for into a result; a mistake in the code goes on up."""
    try:
        return function(case)
    except (DataError, OSError) as error:
        return _Failure(str(error))
    except MemoryError as error:
        return _Failure(f"out of memory ({error}); use fewer workers or a coarser spacing")
    except Exception as error:
        error.add_note(f"while working on case {case.id}")
        raise


def _in_turn(function: Callable[[Case], Result], cases: Sequence[Case]) -> Iterator[tuple[Case, Result]]:
    for case in cases:
        yield case, function(case)


def _in_processes(
    function: Callable[[Case], Result], cases: Sequence[Case], workers: int
) -> Iterator[tuple[Case, Result]]:
    count = min(workers, len(cases))
    with ProcessPoolExecutor(count, mp_context=_context(), initializer=_start_worker) as pool:
        try:
            futures: dict[Future[Result], Case] = {pool.submit(function, case): case for case in cases}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise DataError(
                cases[0].images[0].parent,
                expected=f"{workers} worker processes to finish {len(cases)} cases",
                found="one that was killed from outside, most often by the system for lack of memory",
                remedy="start again with fewer workers; finished cases are kept",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _context() -> BaseContext:
    """Return a way to start processes that copies no thread's locks from this one, as a fork would."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # The server imports once, for all pools of this process, what takes a worker seconds.
    context.set_forkserver_preload(["datamodules.cache", "datamodules.integrity.inspection"])
    return context


def _start_worker() -> None:
    # The processes share the cores: more threads in each would only compete.
    torch.set_num_threads(1)


def _summary(cases: Sequence[Case], failures: dict[str, str]) -> DataError:
    paths = {case.id: case.images[0] for case in cases}
    first = paths[next(iter(failures))]
    listed = "".join(f"\n  {id_}: {failures[id_]}" for id_ in sorted(failures))
    return DataError(
        first if len(failures) == 1 else first.parent,
        expected="every case to be usable",
        found=f"{len(failures)} of {len(cases)} that are not:{listed}\n",
        remedy="mend these cases or take them out of the folder",
    )
