import json

import numpy as np
from pycocotools.coco import COCO

from datamodules.keypoints import Skeleton
from pipeline.inference.pose_coco import write_coco_results
from pipeline.inference.pose_tables import PoseTableWriter

SKELETON = Skeleton(("nose", "left_ear"))


def results(folder, points, confidence):
    with PoseTableWriter(folder, "video", SKELETON) as writer:
        for index, (xy, score) in enumerate(zip(points, confidence, strict=True)):
            writer.write(index, index / 30, xy, score, "ok")
    return write_coco_results(writer.parquet, folder, "video", SKELETON)


def test_a_frame_is_a_result_with_the_mean_of_its_scores(tmp_path):
    path = results(tmp_path, [[[1.23456, 2.0], [30.0, -4.5]]], [[0.25, 0.75]])
    assert path.name == "video_coco.json"
    assert json.loads(path.read_text()) == [
        {"image_id": 0, "category_id": 1, "keypoints": [1.235, 2.0, 0.25, 30.0, -4.5, 0.75], "score": 0.5}
    ]


def test_a_frame_without_joints_has_no_result_and_a_missing_joint_is_the_format_s_own_zero(tmp_path):
    nan = np.nan
    points = [[[1.0, 2.0], [nan, nan]], [[nan, nan], [nan, nan]], [[5.0, 6.0], [7.0, 8.0]]]
    found = json.loads(results(tmp_path, points, [[0.5, 0.9], [nan, nan], [0.5, nan]]).read_text())
    assert [result["image_id"] for result in found] == [0, 2]
    assert found[0]["keypoints"] == [1.0, 2.0, 0.5, 0.0, 0.0, 0.0]
    assert found[0]["score"] == 0.5
    assert found[1]["keypoints"] == [5.0, 6.0, 0.5, 7.0, 8.0, 0.0]


def test_no_result_at_all_is_an_empty_list(tmp_path):
    assert json.loads(results(tmp_path, [], []).read_text()) == []


def test_the_reader_of_coco_takes_the_file(tmp_path):
    rng = np.random.default_rng(0)
    path = results(tmp_path, rng.uniform(0, 500, (1500, 2, 2)), rng.uniform(0, 1, (1500, 2)))
    truth = COCO()
    truth.dataset = {
        "images": [{"id": index} for index in range(1500)],
        "categories": [{"id": 1, "name": "mouse", "keypoints": list(SKELETON.names)}],
        "annotations": [],
    }
    truth.createIndex()
    loaded = truth.loadRes(str(path))
    assert len(loaded.anns) == 1500
    assert sorted(ann["image_id"] for ann in loaded.anns.values()) == list(range(1500))
