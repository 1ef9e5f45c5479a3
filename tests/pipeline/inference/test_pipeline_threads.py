"""Three stages overlap, keep their order, and hold a bounded number of items."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.inference.pipeline_threads import overlapped


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(), max_size=12))
def test_results_are_those_of_the_stages_in_order(items):
    done = list(overlapped(items, lambda n: n + 1, lambda n: n * 2, str))
    assert done == [str((item + 1) * 2) for item in items]


def test_reading_computing_and_writing_happen_at_the_same_time():
    meeting = threading.Barrier(3, timeout=10)  # breaks unless all three stages are in it at once

    def stage(number, items):
        def run(item):
            if item in items:
                meeting.wait()
            return item

        return run

    items = range(5)
    stages = [stage(0, {2, 3, 4}), stage(1, {1, 2, 3}), stage(2, {0, 1, 2})]
    assert list(overlapped(items, *stages)) == list(items)


def test_no_more_than_three_items_are_held():
    held, most, lock = 0, 0, threading.Lock()

    def read(item):
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return item

    def write(item):
        nonlocal held
        with lock:
            held -= 1
        return item

    assert list(overlapped(range(30), read, lambda item: item, write)) == list(range(30))
    assert most <= 3


@pytest.mark.parametrize("place", range(3))
def test_an_error_in_any_stage_is_raised_and_stops_the_reading(place):
    seen = []

    def stage(number):
        def run(item):
            if number == 0:
                seen.append(item)
            if number == place and item == 3:
                raise KeyError("bad")
            return item

        return run

    with pytest.raises(KeyError, match="bad"):
        list(overlapped(range(100), *(stage(number) for number in range(3))))
    assert len(seen) < 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("reader", "writer"))]
