import logging

import pytest

from pipeline.health.probe import LayerFigures, Sample
from pipeline.health.words import HealthWarnings

HEALTHY = LayerFigures(0.1, 1.0, 0.001)


def constant(step):
    return Sample(step, {"a": HEALTHY, "b": HEALTHY, "c": HEALTHY}, 10.0, 0.0, 1.0)


def faded(step):
    return Sample(step, {"a": LayerFigures(0.0, 1.0, 0.0), "b": HEALTHY, "c": HEALTHY}, 10.0, 1.0, 1.0)


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def test_each_kind_is_said_once_however_long_it_lasts(said):
    words = HealthWarnings(warn=True)
    for step in range(0, 500, 25):
        words.check_sample(faded(step), 0.5)
    (message,) = said()
    assert message.startswith("step 50: gradients vanish")


def test_a_constant_output_is_no_news_in_the_first_part_of_the_training(said):
    words = HealthWarnings(warn=True)
    for step in range(0, 500, 25):
        words.check_sample(constant(step), step / 5000)
    assert said() == []
    for step in range(500, 600, 25):
        words.check_sample(constant(step), step / 5000 + 0.05)
    (message,) = said()
    assert message.startswith("step 550: the output collapses")


def test_a_zero_initialised_start_is_no_news(said):
    words = HealthWarnings(warn=True)
    for step in (0, 25):
        words.check_sample(faded(step), 0.5)
    for step in range(50, 500, 25):
        words.check_sample(Sample(step, {"a": HEALTHY, "b": HEALTHY, "c": HEALTHY}, 10.0, 1.0, 1.0), 0.5)
    assert said() == []


def test_steps_are_told_healthy_from_sick(said):
    words = HealthWarnings(warn=True)
    assert all(words.check_step(step, 1.0 + 0.1 * (step % 3), 1.0) for step in range(50))
    assert not words.check_step(50, 1.0, 1e6)
    assert not words.check_step(51, 100.0, 1.0)
    assert [message.split(":")[1] for message in said()] == [" gradients explode", " the loss spikes"]


def test_warnings_may_be_silenced_and_still_count(said):
    words = HealthWarnings(warn=False)
    for step in range(50):
        words.check_step(step, 1.0, 1.0)
    assert not words.check_step(50, 1.0, 1e6)
    assert said() == []
