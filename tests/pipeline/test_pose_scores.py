import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from datamodules.keypoints import PoseSample, Skeleton
from pipeline.metrics.keypoint_norm import KeypointNorm
from pipeline.metrics.keypoints import summarise_poses
from pipeline.pose_scores import FoundPose, coco_pair, write_tables

SKELETON = Skeleton(("nose", "left_hand", "right_hand"), ((0, 1),), ((1, 2),))


def found_pose(case="a", image="000123.jpg", norm_px=10.0, visibility=(2, 1, 0), area_px=None):
    truth = np.array([[10.0, 10.0], [20.0, 10.0], [0.0, 0.0]], np.float32)
    sample = PoseSample(case, case, Path(image), truth, np.array(visibility, np.uint8), area_px=area_px)
    points = np.array([[10.0, 10.0], [23.0, 14.0], [99.0, 99.0]])
    affine = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return FoundPose(sample, points, np.array([0.9, 0.5, 0.1]), np.array([0.8, 0.4, 0.05]), norm_px, affine)


@pytest.fixture
def tables(tmp_path):
    found = [found_pose(area_px=900.0), found_pose("b", "photo.png", None, area_px=400.0)]
    summary = summarise_poses([pose.scored() for pose in found], SKELETON, norm=KeypointNorm("torso", (0, 1)))
    write_tables(found, SKELETON, summary, {"norm": "the torso"}, tmp_path, tmp_path / "validation")
    return tmp_path / "validation"


def test_errors_are_distances_and_unlabelled_joints_have_none():
    pose = found_pose()
    assert pose.errors_px[:2].tolist() == [0.0, 5.0]
    assert pose.relative_errors[1] == 0.5
    assert math.isnan(pose.errors_px[2])
    assert np.isnan(found_pose(norm_px=None).relative_errors).all()


def test_predictions_have_a_row_for_each_joint_and_empty_fields_for_what_is_not_known(tables):
    rows = list(csv.DictReader((tables / "predictions.csv").open()))
    assert [(row["case"], row["joint"]) for row in rows[:4]] == [
        ("a", "nose"),
        ("a", "left_hand"),
        ("a", "right_hand"),
        ("b", "nose"),
    ]
    assert rows[1] == {
        "case": "a",
        "joint": "left_hand",
        "x": "23.0",
        "y": "14.0",
        "confidence": "0.4",
        "score": "0.5",
        "true_x": "20.0",
        "true_y": "10.0",
        "visibility": "1",
        "error_px": "5.0",
    }
    assert (rows[2]["true_x"], rows[2]["error_px"], rows[2]["visibility"]) == ("", "", "0")


def test_scores_have_a_row_for_each_joint_and_one_over_all(tables):
    rows = {row["joint"]: row for row in csv.DictReader((tables / "scores.csv").open())}
    assert list(rows) == ["nose", "left_hand", "right_hand", "all points"]
    assert rows["nose"]["rmse_px"] == "0.0"
    assert rows["left_hand"]["pck@0.2"] == "0.0"
    assert rows["left_hand"]["pck@0.5"] == "1.0"
    assert rows["right_hand"]["pck@0.2"] == ""
    assert rows["all points"]["points"] == "4"
    assert float(rows["all points"]["epe_px"]) == 2.5


def test_the_summary_is_json_that_any_reader_takes(tables):
    text = (tables / "summary.json").read_text()
    summary = json.loads(text, parse_constant=pytest.fail)
    assert summary["norm"] == "the torso"
    assert summary["overall"]["pck@0.2"] == 0.5
    assert summary["counts"]["poses_without_norm"] == 1


def test_coco_s_own_tools_score_the_results_as_the_summary_does(tables, capsys):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO(str(tables / "coco_truth.json"))
    evaluation = COCOeval(truth, truth.loadRes(str(tables / "coco_results.json")), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.full(3, 0.1)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    summary = json.loads((tables / "summary.json").read_text())
    assert evaluation.stats[0] == pytest.approx(summary["overall"]["oks_ap"])


def test_coco_s_form_names_joints_limbs_and_images():
    again = found_pose(image="data/000123.jpg")
    other = FoundPose(again.sample, again.points + 1, again.score, again.confidence, None, again.to_original)
    truth, results = coco_pair([found_pose("b", "data/photo.png"), again, other], SKELETON, Path("data"))
    assert truth["categories"][0]["keypoints"] == list(SKELETON.names)
    assert truth["categories"][0]["skeleton"] == [[1, 2]]
    assert [image["file_name"] for image in truth["images"]] == ["photo.png", "000123.jpg"]
    assert [result["image_id"] for result in results] == [1, 2, 2]
    assert results[1]["keypoints"] == [10.0, 10.0, 0.8, 23.0, 14.0, 0.4, 99.0, 99.0, 0.05]
    assert truth["annotations"][0]["keypoints"] == [10.0, 10.0, 2.0, 20.0, 10.0, 1.0, 0.0, 0.0, 0.0]


def test_coco_s_form_tells_images_of_one_name_apart(tmp_path):
    (tmp_path / "labels.csv").touch()
    paths = [tmp_path / "v1" / "img1.png", tmp_path / "v2" / "img1.png", tmp_path.parent / "elsewhere" / "img1.png"]
    found = [found_pose(case, str(path)) for case, path in zip("abc", paths, strict=True)]
    for root in (tmp_path, tmp_path / "labels.csv"):
        truth, _ = coco_pair(found, SKELETON, root)
        assert [image["file_name"] for image in truth["images"]] == ["v1/img1.png", "v2/img1.png", "c"]
