import json

import numpy as np
import pytest
import torch

from pipeline.calibration import Calibration

CURVE = Calibration("isotonic", ((0.0, 0.0), (0.2, 0.1), (0.4, 0.1), (0.8, 0.9)), "by hand")


def test_it_is_straight_between_its_points_and_constant_beyond():
    scores = np.array([-1.0, 0.0, 0.1, 0.3, 0.6, 0.8, 2.0])
    assert CURVE.apply(scores) == pytest.approx([0, 0, 0.05, 0.1, 0.5, 0.9, 0.9])


def test_tensors_of_any_shape_give_what_arrays_give():
    scores = np.linspace(-0.5, 1.5, 60).reshape(3, 4, 5)
    found = CURVE.apply(torch.tensor(scores))
    assert found.dtype == torch.float32
    assert found.shape == (3, 4, 5)
    assert found.numpy() == pytest.approx(CURVE.apply(scores), abs=1e-6)
    half = torch.tensor([0.0, 0.6, 3.0], dtype=torch.bfloat16)
    assert CURVE.apply(half).tolist() == pytest.approx([0, 0.5, 0.9], abs=0.01)


def test_points_themselves_are_met_exactly():
    scores = [score for score, _ in CURVE.points]
    assert CURVE.apply(torch.tensor(scores)).tolist() == pytest.approx([0, 0.1, 0.1, 0.9])


def test_a_score_that_is_not_finite_is_worth_nothing():
    scores = [np.nan, np.inf, -np.inf, 0.8]
    assert CURVE.apply(np.array(scores)).tolist() == [0, 0, 0, 0.9]
    assert CURVE.apply(torch.tensor(scores)).tolist() == pytest.approx([0, 0, 0, 0.9])


def test_without_a_calibration_the_score_is_cut_to_0_to_1():
    assert Calibration().apply(np.array([-0.2, 0.3, 1.4])).tolist() == [0, 0.3, 1]


def test_it_comes_back_from_json():
    assert Calibration.from_dict(json.loads(json.dumps(CURVE.to_dict()))) == CURVE


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (((0.0, 0.0),), "two or more points"),
        (((0.0, 0.0), (0.5, float("nan"))), "finite"),
        (((0.0, 0.0), (0.0, 0.5)), "rising scores"),
        (((0.0, 0.6), (0.5, 0.5)), "rising scores"),
        (((0.0, 0.0), (0.5, 1.5)), "in 0 to 1"),
        (((0.0, -0.1), (0.5, 0.5)), "in 0 to 1"),
    ],
)
def test_f33_points_that_are_no_rising_probability_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        Calibration("isotonic", points)


@pytest.mark.parametrize(
    "description",
    [{}, {"kind": "isotonic", "points": 3, "note": ""}, {"kind": "magic", "points": [[0, 0], [1, 1]], "note": ""}],
)
def test_f33_a_description_of_no_calibration_is_refused(description):
    with pytest.raises(ValueError, match="calibration: expected"):
        Calibration.from_dict(description)
