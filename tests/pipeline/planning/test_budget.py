import pytest

from pipeline.planning.budget import LEAST_STEPS, SHARE, SHORT_STEPS, USUAL_STEPS, Budget
from pipeline.planning.quantities import parse_seconds


def test_a_given_time_bounds_the_step_so_that_there_are_steps_enough():
    budget = Budget("cpu", 3600)
    assert budget.step_limit_s == pytest.approx(SHARE * 3600 / LEAST_STEPS["segmentation"]["cpu"])
    assert abs(budget.steps(budget.step_limit_s) - LEAST_STEPS["segmentation"]["cpu"]) <= 1


def test_without_a_time_it_follows_from_the_step():
    budget = Budget("cpu", None, "pose")
    wanted = USUAL_STEPS["pose"]["cpu"]
    assert wanted <= budget.steps(0.5) <= 1.2 * wanted
    assert parse_seconds(budget.max_time(0.5).value) == budget.length_s(0.5)


def test_a_given_time_is_kept_to_the_second():
    assert Budget("cpu", 10).max_time(3.0).value == "00:00:00:10"
    assert Budget("cpu", 10).steps(30.0) == 1


def test_on_a_gpu_without_a_time_memory_alone_is_the_limit():
    assert Budget("cuda", None).step_limit_s is None
    assert "memory alone" in Budget("cuda", None).limit_words()


def test_a_short_time_does_not_ask_for_the_impossible():
    assert Budget("cpu", 10).step_limit_s == 0.25


def test_the_reason_names_steps_and_seconds():
    words = Budget("cpu", 3600).max_time(1.5).reason
    assert f"up to {int(SHARE * 3600 / 1.5)} steps of 1.50 s" in words
    assert "as was asked for" in words


def test_a_short_time_asks_for_fewer_steps_and_a_long_one_for_many():
    wanted = [Budget("cpu", seconds).wanted_steps for seconds in (60, 300, 3600, 86400)]
    assert wanted[:2] == [SHORT_STEPS, SHORT_STEPS]
    assert wanted == sorted(wanted)
    assert wanted[-1] == LEAST_STEPS["segmentation"]["cpu"]


def test_a_long_last_validation_is_taken_off_the_time_and_half_is_left():
    short, long, huge = (Budget("cpu", 1000, validation_s=seconds) for seconds in (90, 400, 5000))
    assert (short.length_s(1), long.length_s(1), huge.length_s(1)) == (1000, 600, 500)
    assert long.max_time(1).value == "00:00:10:00"
    assert "the rest is for the last validation" in long.max_time(1).reason
    assert "0:06:40, which --time counts" in long.validation_words(3)
    assert "beyond --time" in short.validation_words(3)
    assert "over half of --time" in huge.validation_words(3)


def test_the_limit_of_a_step_comes_with_its_arithmetic():
    assert "75% of 1:00:00, divided by the 1000 steps" in Budget("cpu", 3600).limit_words()
    assert "no network does with less" in Budget("cpu", 10).limit_words()
