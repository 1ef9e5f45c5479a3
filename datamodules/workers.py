"""Work on many cases in worker processes, with a progress bar, and all failures told in one error."""

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import BaseContext
from typing import Any, NoReturn, TypeVar

import torch
from tqdm.auto import tqdm

from datamodules.cases import Case
from datamodules.formats.errors import DataError

log = logging.getLogger(__name__)

Result = TypeVar("Result")
_Task = tuple[Case, tuple[Any, ...]]  # a case, and all that its function is called with


@dataclass(frozen=True)
class _Failure:
    """Why a case failed."""

    message: str


def map_cases(
    function: Callable[..., Result],
    cases: Sequence[Case],
    *,
    workers: int,
    description: str,
    arguments: Mapping[str, tuple[Any, ...]] | None = None,
    killed: Callable[[Case], Result] | None = None,
) -> dict[str, Result]:
    """Apply a function to every case.

    Where a process is killed, most often for lack of memory, the cases that are left are done one at a time.

    Args:
        function: A picklable function of a case, as it is sent to fresh processes with every case.
        cases: What to work on.
        workers: Number of processes; 0 works in this one.
        description: Text before the progress bar.
        arguments: What else the function takes, by case id.
        killed: Gives the outcome of a case that kills a process of its own; without it that is refused.

    Returns:
        By case id, what the function returned, in the order of the cases.

    Raises:
        DataError: If cases fail: one error that names each with its reason; or if a case kills its process.
    """
    tasks = [(case, (case, *(arguments[case.id] if arguments else ()))) for case in cases]
    guarded = partial(_guard, function)
    outcomes: dict[str, Result | _Failure] = {}
    # disable=None shows the bar on a terminal only.
    with tqdm(total=len(cases), desc=description, unit="case", disable=None) as progress:
        in_turn = not workers or not cases
        pairs = _in_turn(guarded, tasks) if in_turn else _in_processes(guarded, tasks, workers, killed or _refuse)
        for case, outcome in pairs:
            outcomes[case.id] = outcome
            progress.update()
    failures = {key: value.message for key, value in outcomes.items() if isinstance(value, _Failure)}
    if failures:
        raise _summary(cases, failures)
    results = {key: value for key, value in outcomes.items() if not isinstance(value, _Failure)}
    return {case.id: results[case.id] for case in cases}


def _guard(function: Callable[..., Result], case: Case, *arguments: Any) -> Result | _Failure:  # noqa: ANN401 - passed on
    """Turn what the data or the disk are to blame for into a result; a mistake in the code goes on up."""
    try:
        return function(case, *arguments)
    except (DataError, OSError) as error:
        return _Failure(str(error))
    except MemoryError as error:
        return _Failure(f"out of memory ({error}); use fewer workers or a coarser spacing")
    except Exception as error:
        error.add_note(f"while working on case {case.id}")
        raise


def _in_turn(function: Callable[..., Result], tasks: Sequence[_Task]) -> Iterator[tuple[Case, Result]]:
    for case, arguments in tasks:
        yield case, function(*arguments)


def _in_processes(
    function: Callable[..., Result], tasks: Sequence[_Task], workers: int, killed: Callable[[Case], Result]
) -> Iterator[tuple[Case, Result]]:
    done: set[str] = set()
    try:
        for case, result in _in_pool(function, tasks, workers):
            done.add(case.id)
            yield case, result
    except BrokenProcessPool:
        left = [task for task in tasks if task[0].id not in done]
        log.warning("a worker process was killed: the %d cases that are left are done one at a time", len(left))
        yield from _alone(function, left, killed)


def _in_pool(function: Callable[..., Result], tasks: Sequence[_Task], workers: int) -> Iterator[tuple[Case, Result]]:
    count = min(workers, len(tasks))
    with ProcessPoolExecutor(count, mp_context=_context(), initializer=_start_worker) as pool:
        try:
            futures = {pool.submit(function, *arguments): case for case, arguments in tasks}
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _alone(
    function: Callable[..., Result], tasks: Sequence[_Task], killed: Callable[[Case], Result]
) -> Iterator[tuple[Case, Result]]:
    """Do one case after the other in a process, which is started anew after each case that kills it."""
    left = list(tasks)
    while left:
        with ProcessPoolExecutor(1, mp_context=_context(), initializer=_start_worker) as pool:
            pool.submit(int).result()  # a process that cannot even start is no case's fault
            while left:
                case, arguments = left.pop(0)
                try:
                    yield case, pool.submit(function, *arguments).result()
                except BrokenProcessPool:
                    yield case, killed(case)
                    break


def _refuse(case: Case) -> NoReturn:
    raise DataError(
        case.images[0],
        expected=f"a process to finish case {case.id}",
        found="one that was killed from outside, most often by the system for lack of memory",
        remedy="start again with fewer workers or on a machine with more memory, or take the case out; finished cases "
        "are kept",
    )


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
