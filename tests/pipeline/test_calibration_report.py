import json

import numpy as np
import pytest

from pipeline.calibration_report import brier_score, calibration_report, expected_calibration_error, reliability_bins

# Two in the tenth of 0.1 to 0.2 with one right, two in the last with two right.
PROBABILITY, CORRECT = np.array([0.1, 0.14, 0.9, 1.0]), np.array([0, 1, 1, 1])


def test_the_bins_are_those_of_a_pencil():
    low, high = reliability_bins(PROBABILITY, CORRECT)
    assert low == pytest.approx({"lower": 0.1, "upper": 0.2, "predicted": 0.12, "observed": 0.5, "count": 2})
    assert high == pytest.approx({"lower": 0.9, "upper": 1.0, "predicted": 0.95, "observed": 1.0, "count": 2})


def test_the_errors_are_those_of_a_pencil():
    assert expected_calibration_error(PROBABILITY, CORRECT) == pytest.approx((2 * 0.38 + 2 * 0.05) / 4)
    assert brier_score(PROBABILITY, CORRECT) == pytest.approx((0.01 + 0.86**2 + 0.01 + 0) / 4)
    assert expected_calibration_error(np.empty(0), np.empty(0)) is None
    assert brier_score(np.empty(0), np.empty(0)) is None


def overconfident(cases, joints=14):
    """Scores whose chance to be right is their square."""
    rng = np.random.default_rng(0)
    scores = rng.random(cases * joints)
    return scores, rng.random(cases * joints) < scores**2, [f"case{index // joints}" for index in range(cases * joints)]


@pytest.mark.parametrize("kind", ["isotonic", "temperature"])
def test_calibration_mends_what_was_not_fitted(kind):
    report, held_out = calibration_report(*overconfident(200), kind)
    assert report["points"] == 2800
    assert report["groups"] == 200
    assert report["ece_score"] > 0.1
    assert report["ece"] < 0.04
    assert report["brier"] < report["brier_score"]
    assert report["kinds"] == [kind] * 2
    assert sum(entry["count"] for entry in report["bins"]) == 2800
    assert held_out.shape == (2800,)
    assert brier_score(held_out, overconfident(200)[1]) == report["brier"]
    assert json.loads(json.dumps(report)) == report


def test_a_half_is_not_measured_with_what_it_was_fitted_to():
    # Every case is right or wrong as a whole and has scores of its own: what a fit learns of it helps no other one.
    rng = np.random.default_rng(1)
    right = np.repeat(np.arange(40) % 2 == 0, 20)
    scores = rng.random(800)
    report, _ = calibration_report(scores, right, [f"{index // 20}" for index in range(800)])
    assert report["brier"] == pytest.approx(0.25, abs=0.02)


def test_one_group_is_not_measured_and_the_report_says_so():
    report, held_out = calibration_report([0.1, 0.9], [False, True], ["video", "video"])
    assert held_out is None
    assert report["ece"] is None
    assert report["brier"] is None
    assert report["bins"] == []
    assert "at least two groups" in report["note"]
    assert report["ece_score"] == pytest.approx(0.1)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="found 2, 2 and 1"):
        calibration_report([0.1, 0.9], [False, True], ["a"])
