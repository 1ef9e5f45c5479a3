import json

import numpy as np
import pytest

from datamodules.keypoints import Skeleton
from pipeline.metrics.keypoint_norm import KeypointNorm
from pipeline.metrics.keypoints import ScoredPose, summarise_poses

SKELETON = Skeleton(("nose", "left_wrist"))
BOX = KeypointNorm("box")
TRUTH = np.array([[10.0, 10.0], [50.0, 10.0]])


def pose(case_id="a", shift=((0, 0), (0, 0)), visibility=(2, 2), norm_px=100.0, **annotation):
    return ScoredPose(case_id, TRUTH + np.array(shift), np.array([0.9, 0.7]), TRUTH,
                      np.array(visibility, np.uint8), norm_px, **annotation)  # fmt: skip


# Errors of 6 and 25 pixels, and of 10 beside a joint that is not labelled.
POSES = [pose("a", ((0, 6), (15, 20))), pose("b", ((6, 8), (0, 0)), (2, 0))]


def test_the_figures_are_those_of_a_pencil():
    metrics = summarise_poses(POSES, SKELETON, norm=BOX).metrics
    assert metrics["pck@0.05"] == 0
    assert metrics["pck@0.1"] == pytest.approx(2 / 3)
    assert metrics["pck@0.1/nose"] == 1
    assert metrics["pck@0.2/left_wrist"] == 0
    assert metrics["pck@0.5"] == 1
    assert metrics["pck_joint_mean@0.1"] == 0.5
    assert metrics["epe_px"] == pytest.approx((6 + 25 + 10) / 3)
    assert metrics["epe_px/nose"] == 8
    assert metrics["rmse_px"] == pytest.approx(np.sqrt((36 + 625 + 100) / 3))
    # Over a grid of 0.01 the shares right of 0.06, 0.25 and 0.10, each with half a cell.
    assert metrics["auc"] == pytest.approx((0.445 + 0.255 + 0.405) / 3 / 0.5)


def test_a_pose_without_its_norm_is_left_out_of_pck_and_counted():
    summary = summarise_poses([*POSES, pose("c", ((0, 90), (0, 90)), norm_px=None)], SKELETON, norm=BOX)
    assert summary.metrics["pck@0.5"] == 1
    assert summary.metrics["epe_px/nose"] == pytest.approx((6 + 10 + 90) / 3)
    assert summary.counts["poses_without_norm"] == 1
    assert summary.counts["points_without_norm"] == 2
    assert any("1 of 3 subjects (2 points) lack the norm" in note for note in summary.notes)


def test_occluded_joints_count_unless_only_visible_ones_are_asked_for():
    poses = [pose("a", ((0, 60), (0, 0)), (1, 2))]
    assert summarise_poses(poses, SKELETON, norm=BOX).metrics["pck@0.5"] == 0.5
    visible = summarise_poses(poses, SKELETON, norm=BOX, visible_only=True)
    assert visible.metrics["pck@0.5"] == 1
    assert "pck@0.5/nose" not in visible.metrics
    assert visible.counts["points_occluded"] == 1
    assert any("1 occluded points left out" in note for note in visible.notes)


def test_a_joint_without_a_prediction_is_a_miss_and_is_counted():
    summary = summarise_poses([pose("a", ((np.nan, np.nan), (0, 0)), area_px=900.0)], SKELETON, norm=BOX)
    assert summary.metrics["pck@0.5"] == 0.5
    assert summary.metrics["epe_px"] == 0
    assert summary.counts["points_not_predicted"] == 1
    assert summary.metrics["oks_ap"] == pytest.approx(0.1)  # similarity (0 + 1) / 2: the threshold of 0.50 alone


def test_the_head_makes_pck_the_pckh_of_both_names():
    summary = summarise_poses(POSES, SKELETON, thresholds=(0.1,), norm=KeypointNorm("head"))
    assert summary.metrics["pckh@0.1"] == summary.metrics["pck@0.1"] == pytest.approx(2 / 3)
    assert summary.metrics["pckh@0.1/nose"] == 1
    heads = summary.table().splitlines()[0].split()
    assert heads == ["joint", "points", "pckh@0.1", "auc", "epe_px", "rmse_px"]


def test_similarity_rests_on_the_area_or_on_a_share_of_the_box():
    assert pose(area_px=900.0, box=(0.0, 0.0, 10.0, 10.0)).oks_area_px == 900
    assert pose(box=(0.0, 0.0, 10.0, 20.0)).oks_area_px == pytest.approx(0.53 * 200)
    assert pose().oks_area_px is None
    perfect = summarise_poses([pose("a", area_px=900.0), pose("b")], SKELETON, norm=BOX)
    assert perfect.metrics["oks_ap"] == pytest.approx(1)
    assert perfect.counts["poses_without_area"] == 1


def test_without_any_area_there_is_no_similarity_and_a_note_says_so():
    summary = summarise_poses(POSES, SKELETON, norm=BOX)
    assert not [key for key in summary.metrics if key.startswith("oks")]
    assert any("No OKS" in note for note in summary.notes)


def test_the_table_is_aligned_and_tells_of_both_pixel_errors():
    lines = summarise_poses(POSES, SKELETON, norm=BOX).table().splitlines()
    heads = "joint points pck@0.05 pck@0.1 pck@0.2 pck@0.5 auc epe_px rmse_px"
    assert lines[0].split() == heads.split()
    assert lines[1].split() == ["nose", "2", "0.0", "100.0", "100.0", "100.0", "85.0", "8.00", "8.25"]
    assert lines[3].startswith("all points")
    assert lines[4].split()[:5] == ["mean", "of", "joints", "0.0", "50.0"]
    assert len({len(line) for line in lines[:4]}) == 1
    assert any("DeepLabCut's RMSE" in line for line in lines)
    assert max(len(line) for line in lines) <= 100


def test_the_summary_is_json():
    described = json.loads(json.dumps(summarise_poses([pose("a", visibility=(2, 0))], SKELETON, norm=BOX).to_dict()))
    assert described["joints"][1] == {"joint": "left_wrist", "points": 0.0, **dict.fromkeys(
        ["pck@0.05", "pck@0.1", "pck@0.2", "pck@0.5", "auc", "epe_px", "rmse_px"])}  # fmt: skip
    assert described["counts"]["points_unlabelled"] == 1


def test_poses_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="pose a: expected shapes"):
        ScoredPose("a", TRUTH, np.ones(2), TRUTH, np.ones(3, np.uint8), 1.0)
    with pytest.raises(ValueError, match="expected 1 joints, found 2"):
        summarise_poses([pose()], Skeleton(("nose",)), norm=BOX)
    with pytest.raises(ValueError, match="found none"):
        summarise_poses([], SKELETON, norm=BOX)
