import logging

import numpy as np
import pytest

from datamodules.keypoints import Skeleton
from pipeline.metrics.oks import UNIFORM_SIGMA, OksPose, oks_ap, oks_sigmas

SIGMAS = np.array([0.1, 0.1])
TRUTH = np.array([[20.0, 20.0], [60.0, 20.0]])


def pose_of_similarity(similarity, score=0.5, visibility=(2, 2)):
    # Similarity is exp(-d^2 / (2 * area * (2 * sigma)^2)); both joints are moved by the d that gives it.
    area = 2500.0
    distance = np.sqrt(-np.log(similarity) * 2 * area * 0.2**2)
    return OksPose(TRUTH + np.array([0, distance]), score, TRUTH, np.array(visibility, np.uint8), area)


def test_a_perfect_pose_scores_one():
    scores = oks_ap([pose_of_similarity(1.0)], SIGMAS)
    assert scores.to_dict() == pytest.approx({"ap": 1.0, "ap50": 1.0, "ap75": 1.0, "ar": 1.0, "poses": 1})


def test_a_similarity_of_072_passes_five_of_ten_thresholds():
    scores = oks_ap([pose_of_similarity(0.72)], SIGMAS)  # 0.50, 0.55, 0.60, 0.65 and 0.70
    assert (scores.ap, scores.ap50, scores.ap75, scores.ar) == pytest.approx((0.5, 1.0, 0.0, 0.5))


def test_the_similarity_of_a_pose_is_the_mean_over_its_labelled_joints():
    moved = pose_of_similarity(0.72)
    half = OksPose(np.stack([TRUTH[0], moved.predicted[1]]), 0.5, TRUTH, moved.visibility, moved.area_px)
    assert oks_ap([half], SIGMAS).ap == pytest.approx(0.8)  # (1 + 0.72) / 2 = 0.86: 0.50 to 0.85
    unlabelled = OksPose(half.predicted, 0.5, TRUTH, np.array([2, 0], np.uint8), half.area_px)
    assert oks_ap([unlabelled], SIGMAS).ap == pytest.approx(1.0)


def test_confidence_orders_the_poses():
    # One right, one wrong. Right first: precision 1 up to recall 0.5 (51 of 101 points). Wrong first: half of that.
    right, wrong = pose_of_similarity(0.99, 0.9), pose_of_similarity(0.01, 0.1)
    assert oks_ap([right, wrong], SIGMAS).ap == pytest.approx(51 / 101)
    swapped = [pose_of_similarity(0.99, 0.1), pose_of_similarity(0.01, 0.9)]
    assert oks_ap(swapped, SIGMAS).ap == pytest.approx(0.5 * 51 / 101)
    assert oks_ap(swapped, SIGMAS).ar == pytest.approx(0.5)


def test_a_pose_is_never_taken_for_the_neighbours():
    shift = np.array([300.0, 0.0])
    one = OksPose(TRUTH + shift, 0.9, TRUTH, np.array([2, 2], np.uint8), 2500.0)
    other = OksPose(TRUTH, 0.8, TRUTH + shift, np.array([2, 2], np.uint8), 2500.0)
    assert oks_ap([one, other], SIGMAS).ap == 0.0


def test_poses_without_a_labelled_joint_do_not_count():
    blank = OksPose(TRUTH + 500, 0.9, TRUTH, np.zeros(2, np.uint8), 2500.0)
    assert oks_ap([blank], SIGMAS) is None
    assert oks_ap([], SIGMAS) is None
    assert oks_ap([pose_of_similarity(1.0), blank], SIGMAS).poses == 1
    assert oks_ap([pose_of_similarity(1.0), blank], SIGMAS).ap == pytest.approx(1.0)


def test_pycocotools_writes_to_the_log_alone(capsys, caplog):
    with caplog.at_level(logging.DEBUG, logger="pipeline.metrics.oks"):
        oks_ap([pose_of_similarity(1.0)], SIGMAS)
    assert capsys.readouterr().out == ""
    assert "Average Precision" in caplog.text


def test_the_sigmas_of_coco_are_taken_for_its_joints_in_their_order():
    from pycocotools.cocoeval import Params

    limbs = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    names = ("nose", *(f"{side}_{limb}" for limb in limbs for side in ("left", "right")))
    found, words = oks_sigmas(Skeleton(names))
    assert found == pytest.approx(Params("keypoints").kpt_oks_sigmas)
    assert "COCO" in words
    assert oks_sigmas(Skeleton(names[::-1]))[0] == pytest.approx(found[::-1])


def test_other_joints_get_one_sigma_that_is_stated():
    found, words = oks_sigmas(Skeleton(("snout", "tail")))
    assert found.tolist() == [UNIFORM_SIGMA] * 2
    assert str(UNIFORM_SIGMA) in words
