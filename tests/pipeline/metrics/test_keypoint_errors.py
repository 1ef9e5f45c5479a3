import numpy as np
import pytest
import torch

from pipeline.metrics.keypoint_errors import auc, correct_points, end_point_error, pck, root_mean_square

# Two subjects of norm 100 and 50, two joints; the second joint of the second subject is not labelled.
ERRORS = np.array([[10.0, 30.0], [5.1, 999.0]])
WEIGHT = np.array([[1, 1], [1, 0]])
NORM = np.array([100.0, 50.0])


def test_pck_counts_errors_up_to_the_threshold():
    # At 0.1 the bounds are 10 and 5 pixels: one of two first joints, no second one.
    found = pck(ERRORS, WEIGHT, NORM, 0.1)
    assert found.joints.tolist() == [0.5, 0.0]
    assert found.overall == pytest.approx(1 / 3)
    assert pck(ERRORS, WEIGHT, NORM, 0.3).overall == 1.0


def test_a_threshold_of_a_tenth_is_a_tenth():
    at_tenth = [pck(np.array([[error]]), np.ones((1, 1)), np.array([100.0]), 0.1).overall for error in (10.0, 10.01)]
    assert at_tenth == [1.0, 0.0]
    # 0.29 * 100 is 28.999999999999996 in binary: the error of 29 is still within.
    assert correct_points(np.array([[29.0]]), np.array([100.0]), 0.29).all()


def test_every_joint_of_every_subject_weighs_the_same_over_all():
    errors, weight = np.array([[0.0, 9.0], [0.0, 9.0], [0.0, 9.0]]), np.array([[1, 0], [1, 0], [1, 1]])
    assert pck(errors, weight, np.ones(3), 0.5).overall == 0.75  # three of four points; the joints' mean is 0.5


def test_a_subject_without_a_norm_is_left_out():
    found = pck(ERRORS, WEIGHT, np.array([np.nan, 50.0]), 0.2)
    assert found.joints[0] == 1.0
    assert np.isnan(found.joints[1])
    assert found.overall == 1.0
    assert np.isnan(pck(ERRORS, WEIGHT, np.array([np.nan, 0.0]), 0.2).overall)


def test_a_prediction_that_is_not_finite_is_a_miss_and_has_no_distance():
    errors = np.array([[np.nan], [np.inf], [3.0]])
    assert pck(errors, np.ones((3, 1)), np.full(3, 10.0), 0.5).overall == pytest.approx(1 / 3)
    assert end_point_error(errors, np.ones((3, 1))).overall == 3.0


def test_the_area_of_one_error_is_what_lies_right_of_it():
    # Correct from 0.25 of the norm on: the grid's first hit is at 0.25, and its trapezoid begins at 0.24.
    found = auc(np.array([[25.0]]), np.ones((1, 1)), np.array([100.0]))
    assert found.overall == pytest.approx((0.25 + 0.01 / 2) / 0.5)
    assert auc(np.array([[0.0]]), np.ones((1, 1)), np.array([1.0])).overall == pytest.approx(1.0)
    assert auc(np.array([[51.0]]), np.ones((1, 1)), np.array([100.0])).joints.tolist() == [0.0]


def test_mean_distance_and_root_of_the_mean_square_differ():
    errors, weight = np.array([[3.0, 0.0], [4.0, 5.0]]), np.array([[1, 0], [1, 1]])
    mean, root = end_point_error(errors, weight), root_mean_square(errors, weight)
    assert mean.joints.tolist() == [3.5, 5.0]
    assert mean.overall == pytest.approx(4.0)
    assert root.joints == pytest.approx([np.sqrt(12.5), 5.0])
    assert root.overall == pytest.approx(np.sqrt(50 / 3))


def test_a_joint_that_nobody_labelled_has_no_figure():
    errors, weight = np.array([[1.0, 7.0]]), np.array([[1, 0]])
    for found in (
        pck(errors, weight, np.ones(1), 2.0),
        end_point_error(errors, weight),
        root_mean_square(errors, weight),
    ):
        assert np.isnan(found.joints[1])
        assert found.overall == 1.0


def test_tensors_give_what_arrays_give():
    tensors = [torch.tensor(array) for array in (ERRORS, WEIGHT, NORM)]
    assert pck(*tensors, 0.1).overall == pck(ERRORS, WEIGHT, NORM, 0.1).overall
    half = pck(tensors[0].bfloat16(), tensors[1] > 0, tensors[2], 0.5)
    assert half.joints.tolist() == [1.0, 1.0]


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match=r"norm \[N\]"):
        pck(ERRORS, WEIGHT, np.ones(3), 0.1)
    with pytest.raises(ValueError, match=r"weight \[N, K\]"):
        end_point_error(ERRORS, WEIGHT[:1])
