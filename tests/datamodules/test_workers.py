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


def test_a_killed_worker_gives_a_clear_error():
    with pytest.raises(DataError, match=r"killed from outside.*fewer workers"):
        map_cases(be_killed, CASES, workers=2, description="Working")


def test_no_cases_need_no_process():
    assert map_cases(describe, [], workers=2, description="Working") == {}
