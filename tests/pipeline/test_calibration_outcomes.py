import numpy as np

from pipeline.calibration_outcomes import joint_outcomes
from pipeline.metrics.keypoints import ScoredPose


def pose(case_id, errors, visibility=(2, 2), norm_px=100.0):
    truth = np.zeros((2, 2))
    predicted = np.array([[0.0, error] for error in errors])
    return ScoredPose(case_id, predicted, np.array([0.9, 0.3]), truth, np.array(visibility, np.uint8), norm_px)


def test_a_joint_is_right_within_the_threshold():
    found = joint_outcomes([pose("a", (10, 10.1)), pose("b", (0, 500))], 0.1)
    assert found.correct.tolist() == [True, False, True, False]
    assert found.scores.tolist() == [0.9, 0.3, 0.9, 0.3]
    assert found.groups == ["a", "a", "b", "b"]


def test_what_cannot_be_judged_is_left_out():
    found = joint_outcomes([pose("a", (0, 0), (0, 1)), pose("b", (0, 0), norm_px=None)], 0.1)
    assert found.scores.tolist() == [0.3]
    assert found.groups == ["a"]


def test_a_joint_out_of_view_is_never_right():
    found = joint_outcomes([pose("a", (0, 0)), pose("b", (0, 0))], 0.1, in_view={"a": np.array([True, False])})
    assert found.correct.tolist() == [True, False, True, True]


def test_a_prediction_that_is_missing_is_wrong():
    assert joint_outcomes([pose("a", (np.nan, 0))], 0.1).correct.tolist() == [False, True]


def test_scores_and_groups_can_be_given_by_case():
    found = joint_outcomes([pose("a", (0, 0))], 0.1, scores={"a": np.array([0.5, 0.25])}, groups={"a": "video"})
    assert found.scores.tolist() == [0.5, 0.25]
    assert found.groups == ["video", "video"]


def test_no_pose_gives_no_outcome():
    found = joint_outcomes([], 0.1)
    assert (len(found.scores), len(found.correct), found.groups) == (0, 0, [])
