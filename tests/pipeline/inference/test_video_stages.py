"""Stages overlap, several items are computed at once, order and bounds hold, errors stop everything."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.inference.video_stages import held, staged, workers_for


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(), max_size=12), st.integers(1, 3))
def test_results_are_those_of_the_stages_in_order(items, workers):
    done = list(staged(items, lambda n: n + 1, lambda n: n * 2, str, workers))
    assert done == [str((item + 1) * 2) for item in items]


def test_all_stages_run_at_the_same_time_and_two_items_are_computed():
    meeting = threading.Barrier(4, timeout=10)  # breaks unless reader, two networks and writer are in it at once

    def stage(items):
        def run(item):
            if item in items:
                meeting.wait()
            return item

        return run

    stages = stage({3}), stage({1, 2}), stage({0})
    assert list(staged(range(6), *stages, 2)) == list(range(6))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_more_items_are_held_than_stated(workers):
    slots, lock = set(), threading.Lock()

    def read(item):
        with lock:
            assert item % held(workers) not in slots
            slots.add(item % held(workers))
        return item

    def compute(item):
        with lock:
            slots.remove(item % held(workers))
        return item

    assert list(staged(range(50), read, compute, lambda item: item, workers)) == list(range(50))


def test_the_next_item_is_asked_for_when_the_last_has_been_read():
    read = []

    def items():
        while sum(read) < 10:
            yield 3

    def note(item):
        read.append(item)
        return item

    assert len(list(staged(items(), note, lambda item: item, lambda item: item, 2))) == 4


@pytest.mark.parametrize("place", range(3))
def test_an_error_in_any_stage_is_raised_and_stops_the_reading(place):
    seen, threads = [], torch.get_num_threads()

    def stage(number):
        def run(item):
            if number == 0:
                seen.append(item)
            if number == place and item == 3:
                raise KeyError("bad")
            return item

        return run

    with pytest.raises(KeyError, match="bad"):
        list(staged(range(100), *(stage(number) for number in range(3)), 2))
    assert len(seen) < 12
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("reader", "network", "writer"))]
    assert torch.get_num_threads() == threads


def test_an_accelerator_computes_one_batch_at_a_time():
    assert workers_for(torch.device("cuda")) == 1
    assert 1 <= workers_for(torch.device("cpu")) <= 4
