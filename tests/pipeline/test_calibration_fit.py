import logging

import numpy as np
import pytest
import torch

from pipeline.calibration import Calibration
from pipeline.calibration_fit import fit_calibration


def drawn(count, chance, seed=0):
    """Scores of 0 to 1 and outcomes whose chance is a function of the score."""
    rng = np.random.default_rng(seed)
    scores = rng.random(count)
    return scores, rng.random(count) < chance(scores)


def test_isotonic_levels_are_those_of_a_pencil():
    # Ten times 0.2 with 2 right, ten times 0.4 with 1 right: pooled 3 of 20. Then 80 times 0.8 with 60 right.
    scores = np.repeat([0.2, 0.4, 0.8], [10, 10, 80])
    correct = np.concatenate([np.arange(10) < 2, np.arange(10) < 1, np.arange(80) < 60])
    fitted = fit_calibration(scores, correct)
    assert fitted.kind == "isotonic"
    pooled, upper = 3.5 / 21, 60.5 / 81
    assert np.array(fitted.points) == pytest.approx(np.array([[0, 0], [0.2, pooled], [0.4, pooled], [0.8, upper]]))
    assert fitted.apply(np.array([0.1, 0.3, 0.9])) == pytest.approx([pooled / 2, pooled, upper])
    assert "100 joints, 63 of them right" in fitted.note


@pytest.mark.parametrize("kind", ["isotonic", "temperature"])
def test_a_known_chance_is_found(kind):
    # A logistic curve over the log-odds: temperature 0.5 and shift 1.
    def chance(s):
        return 1 / (1 + np.exp(-(2 * np.log(s / (1 - s)) + 1)))

    fitted = fit_calibration(*drawn(20000, chance), kind)
    at = np.linspace(0.05, 0.95, 40)
    # A level of the steps rests on 400 points: its share is known to 0.025, and 40 of them are looked at.
    assert np.abs(fitted.apply(at) - chance(at)).max() < (0.08 if kind == "isotonic" else 0.015)


@pytest.mark.parametrize("kind", ["isotonic", "temperature"])
@pytest.mark.parametrize("seed", range(5))
def test_the_map_never_falls_and_stays_within_0_and_1(kind, seed):
    scores, correct = drawn(150, lambda s: 1 - s, seed)  # the worse the higher: all is pooled
    found = fit_calibration(scores * 1.4 - 0.2, correct, kind).apply(np.linspace(-1, 2, 500))
    assert (np.diff(found) >= 0).all()
    assert found.min() == 0
    assert 0 < found.max() < 1


@pytest.mark.parametrize("kind", ["isotonic", "temperature"])
def test_a_score_of_nothing_is_worth_nothing(kind):
    scores, correct = drawn(400, lambda s: 0.5 + 0.5 * s)
    fitted = fit_calibration(0.5 + 0.4 * scores, correct, kind)
    low = fitted.apply(np.array([-0.3, 0.0, 0.25, 0.5]))
    assert low[:2].tolist() == [0, 0]
    assert low[2] == pytest.approx(low[3] * 0.25 / fitted.points[1][0], rel=0.01)
    assert fitted.apply(torch.zeros(3)).tolist() == [0, 0, 0]


def test_joints_out_of_view_come_out_low():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.8, 0.1, 900), rng.normal(0.15, 0.05, 100)])
    fitted = fit_calibration(scores, np.arange(1000) < 900)
    assert fitted.apply(np.array([0.1, 0.15])).max() < 0.1
    assert fitted.apply(np.array([0.8])).min() > 0.95


def test_many_joints_give_few_points():
    assert len(fit_calibration(*drawn(30000, lambda s: s)).points) <= 101


def test_joints_that_are_all_right_are_never_certain():
    fitted = fit_calibration(np.linspace(0.5, 0.9, 200), np.ones(200))
    assert fitted.apply(np.array([0.5, 0.7, 0.9])) == pytest.approx([200.5 / 201] * 3)


def test_too_few_joints_get_a_temperature_and_are_told(caplog):
    with caplog.at_level(logging.WARNING):
        fitted = fit_calibration(*drawn(60, lambda s: s))
    assert fitted.kind == "temperature"
    assert "found 60" in fitted.note
    assert "a temperature is fitted instead" in caplog.text


@pytest.mark.parametrize("count", [0, 5, 19])
def test_far_too_few_joints_leave_the_score_as_it_is(count, caplog):
    with caplog.at_level(logging.WARNING):
        fitted = fit_calibration(*drawn(count, lambda s: s))
    assert fitted.kind == "none"
    assert fitted.points == Calibration().points
    assert f"found {count}" in fitted.note
    assert "the score itself is used" in caplog.text


def test_no_warning_is_given_where_none_is_wanted(caplog):
    with caplog.at_level(logging.WARNING):
        fitted = fit_calibration(*drawn(60, lambda s: s), warn=False)
    assert "a temperature is fitted instead" in fitted.note
    assert caplog.text == ""


def test_a_temperature_needs_right_and_wrong_joints():
    fitted = fit_calibration(np.linspace(0.5, 0.9, 200), np.ones(200), "temperature")
    assert fitted.kind == "none"
    assert "200 of 200 right" in fitted.note


def test_scores_that_are_nowhere_above_zero_fit_nothing():
    assert fit_calibration(np.full(200, -0.1), np.arange(200) < 100).kind == "none"


def test_scores_that_are_not_finite_are_left_out():
    scores, correct = drawn(300, lambda s: s)
    with_nan = fit_calibration(np.append(scores, [np.nan, np.inf]), np.append(correct, [True, False]))
    assert with_nan == fit_calibration(scores, correct)


def test_asking_for_none_gives_none():
    assert fit_calibration(*drawn(300, lambda s: s), "none").kind == "none"


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="found 2 and 3"):
        fit_calibration([0.1, 0.2, 0.3], [True, False])
    with pytest.raises(ValueError, match="'beta'"):
        fit_calibration([0.1], [True], "beta")
