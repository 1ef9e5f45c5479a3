from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.keypoints import PoseSample
from pipeline.metrics.keypoint_norm import KeypointNorm
from pipeline.pose_calibrating import calibrate, view_of
from pipeline.pose_scores import FoundPose

SIZE = (64, 64)
JOINTS = 4


def found_poses(count, *, shifted=False, honest=True, seed=0):
    """Poses whose joints are found in as many cases as their scores say; those out of view have low scores."""
    rng = np.random.default_rng(seed)
    poses = []
    for number in range(count):
        truth = rng.uniform(10, 54, (JOINTS, 2)).astype(np.float32)
        affine = np.array([[1.0, 0.0, 40.0 * shifted], [0.0, 1.0, 0.0]])
        score = rng.uniform(0.1, 1.0, JOINTS)
        out = truth[:, 0] < 40 * shifted - 0.5
        score[out] *= 0.2
        right = (rng.random(JOINTS) < (score if honest else score / 2)) & ~out
        points = truth + np.where(right[:, None], 0.5, 30.0)
        sample = PoseSample(f"{number}", f"{number // 2}", Path("x.png"), truth, np.full(JOINTS, 2, np.uint8))
        poses.append(FoundPose(sample, points, score, score, 20.0, affine))
    return poses


def test_a_score_that_says_too_much_is_corrected():
    calibrated = calibrate(found_poses(400, honest=False), [], KeypointNorm("box"), SIZE)
    assert calibrated.calibration.apply(np.array([0.8])) == pytest.approx(0.4, abs=0.08)
    assert calibrated.report["ece"] < calibrated.report["ece_score"] / 3


def test_a_joint_out_of_view_scores_low_and_is_never_right():
    calibrated = calibrate(found_poses(150), found_poses(150, shifted=True, seed=1), KeypointNorm("box"), SIZE)
    assert 0.2 < (~calibrated.in_view).mean() < 0.5
    assert not calibrated.correct[~calibrated.in_view].any()
    assert calibrated.report["confidence_out_of_view"] < 0.2 < calibrated.report["confidence_in_view"]
    assert calibrated.calibration.kind == "isotonic"
    assert "right means within 0.05 of the norm (box)" in calibrated.calibration.note


def test_confidence_in_view_and_out_of_it_is_of_the_fit_that_did_not_see_the_joints():
    calibrated = calibrate(found_poses(100), found_poses(100, shifted=True, seed=1), KeypointNorm("box"), SIZE)
    assert calibrated.held_out is not None
    for name, chosen in (("in_view", calibrated.in_view), ("out_of_view", ~calibrated.in_view)):
        assert calibrated.report[f"confidence_{name}"] == pytest.approx(calibrated.held_out[chosen].mean())
    assert not np.allclose(calibrated.held_out, calibrated.calibration.apply(calibrated.scores))


def test_confidence_is_not_averaged_where_nothing_is_held_out(tmp_path):
    poses = found_poses(2)  # of one group
    calibrated = calibrate(poses, [], KeypointNorm("box"), SIZE)
    assert calibrated.held_out is None
    assert calibrated.report["confidence_in_view"] is None
    calibrated.draw(tmp_path / "reliability.png")
    assert cv2.imread(str(tmp_path / "reliability.png")) is not None


@pytest.mark.parametrize("kind", ["isotonic", "temperature", "none"])
def test_the_kind_that_is_asked_for_is_fitted_and_measured(kind):
    calibrated = calibrate(found_poses(150), [], KeypointNorm("box"), SIZE, kind)
    assert calibrated.calibration.kind == kind
    assert calibrated.report["kinds"] == [kind] * 2


def test_a_joint_on_the_border_is_not_judged():
    (pose,) = found_poses(1)
    pose.sample.keypoints[:] = [[0.0, 30.0], [-5.0, 30.0], [30.0, 30.0], [30.0, 64.0]]
    in_view, clear = view_of(pose, SIZE)
    assert in_view.tolist() == [True, False, True, False]
    assert clear.tolist() == [False, True, True, False]
    assert len(calibrate([pose], [], KeypointNorm("box"), SIZE).scores) == 2


def test_subjects_without_norm_are_left_out_with_their_views():
    poses = found_poses(60)
    poses[::2] = [FoundPose(p.sample, p.points, p.score, p.confidence, None, p.to_original) for p in poses[::2]]
    calibrated = calibrate(poses, [], KeypointNorm("box"), SIZE)
    assert len(calibrated.scores) == len(calibrated.correct) == len(calibrated.in_view) == 30 * JOINTS


def test_too_few_joints_leave_the_score_as_it_is_and_say_so(tmp_path, caplog):
    calibrated = calibrate(found_poses(4), [], KeypointNorm("box"), SIZE)
    assert calibrated.calibration.kind == "none"
    assert "the score itself is used" in calibrated.calibration.note
    assert caplog.text.count("the score itself is used") == 1  # not for each half as well
    calibrated.draw(tmp_path / "reliability.png")
    assert cv2.imread(str(tmp_path / "reliability.png")) is not None


def test_nothing_to_judge_is_no_failure(tmp_path):
    calibrated = calibrate([], [], KeypointNorm("box"), SIZE)
    assert calibrated.calibration.kind == "none"
    assert calibrated.report["confidence_in_view"] is None
    calibrated.draw(tmp_path / "reliability.png")


def test_the_norm_says_what_right_means():
    norms = KeypointNorm("torso", (0, 1)), KeypointNorm("box"), KeypointNorm("head")
    notes = [calibrate([], [], norm, SIZE).calibration.note for norm in norms]
    assert ["within 0.2 " in notes[0], "within 0.05 " in notes[1], "within 0.5 " in notes[2]] == [True] * 3
