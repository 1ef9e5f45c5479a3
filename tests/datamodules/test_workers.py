import os
import signal
from pathlib import Path

import pytest
import torch

from datamodules.cases import Case
from datamodules.formats.errors import DataError
from datamodules.workers import map_cases

CASES = [Case(name, name, (Path("folder") / f"{name}.nii.gz",)) for name in ("a", "b", "c")]


def describe(case):
    return case.id.upper(), os.getpid(), torch.get_num_threads()


def refuse(case):
    if case.id == "a":
        return None
    if case.id == "b":
        raise OSError("disk full")
    raise DataError(case.images[0], "an image", "a web page", "download it again")


def run_out_of_memory(case):
    raise MemoryError("8 GiB")


def make_a_mistake(case):
    raise ZeroDivisionError


def be_killed(case):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_by_case_in_order(workers):
    results = map_cases(describe, CASES, workers=workers, description="Working")
    assert [(id_, name) for id_, (name, _, _) in results.items()] == [("a", "A"), ("b", "B"), ("c", "C")]
    assert all((pid == os.getpid()) == (workers == 0) for _, pid, _ in results.values())
    assert all(threads == 1 for _, _, threads in results.values())


@pytest.mark.parametrize("workers", [0, 2])
def test_all_failures_are_in_one_error(workers):
    with pytest.raises(DataError) as caught:
        map_cases(refuse, CASES, workers=workers, description="Working")
    message = str(caught.value)
    assert "2 of 3" in message
    assert "\n  b: disk full\n  c: folder/c.nii.gz: expected an image, found a web page" in message


def test_want_of_memory_says_what_to_do():
    with pytest.raises(DataError, match="fewer workers"):
        map_cases(run_out_of_memory, CASES[:1], workers=0, description="Working")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_in_the_code_goes_up_with_the_case(workers):
    with pytest.raises(ZeroDivisionError) as caught:
        map_cases(make_a_mistake, CASES[:1], workers=workers, description="Working")
    assert caught.value.__notes__ == ["while working on case a"]


def be_killed_by_b(case):
    return be_killed(case) if case.id == "b" else os.getpid()


def be_killed_once(case, folder):
    """Kill the first process that comes here, and none after it."""
    try:
        (folder / "killed").mkdir()
    except FileExistsError:
        return "done"
    return be_killed(case)


def add(case, *numbers):
    return case.id, sum(numbers)


def test_a_case_that_kills_its_process_is_refused_by_name():
    with pytest.raises(DataError, match=r"b.nii.gz: expected a process to finish case b.*killed.*fewer workers"):
        map_cases(be_killed_by_b, CASES, workers=2, description="Working")


def test_a_case_that_kills_its_process_has_an_outcome_and_the_others_are_done():
    done = map_cases(be_killed_by_b, CASES, workers=2, description="Working", killed=lambda case: -1)
    assert list(done) == ["a", "b", "c"]
    assert done["b"] == -1 < 0 < min(done["a"], done["c"])


def test_cases_that_are_too_much_side_by_side_are_done_one_at_a_time(tmp_path, caplog):
    done = map_cases(
        be_killed_once, CASES, workers=2, description="Working", arguments={case.id: (tmp_path,) for case in CASES}
    )
    assert set(done.values()) == {"done"}
    assert "are done one at a time" in caplog.text


@pytest.mark.parametrize("workers", [0, 2])
def test_each_case_takes_its_own_arguments(workers):
    arguments = {"a": (1,), "b": (2, 3), "c": ()}
    done = map_cases(add, CASES, workers=workers, description="Working", arguments=arguments)
    assert done == {"a": ("a", 1), "b": ("b", 5), "c": ("c", 0)}


def test_no_cases_need_no_process():
    assert map_cases(describe, [], workers=2, description="Working") == {}
