from pathlib import Path

import numpy as np

from datamodules.keypoints import PoseSample
from pipeline.pose_gallery import choose, rank
from pipeline.pose_scores import FoundPose


def found_pose(case, error, norm_px=10.0, labelled=True):
    truth = np.zeros((2, 2), np.float32)
    sample = PoseSample(case, case, Path("x.png"), truth, np.full(2, 2 * labelled, np.uint8))
    points = np.array([[error, 0.0], [0.0, error]])
    return FoundPose(sample, points, np.ones(2), np.ones(2), norm_px, np.eye(3)[:2])


def test_subjects_are_ranked_by_their_errors_over_the_norm():
    ranked = rank([found_pose("far", 9.0), found_pose("large", 10.0, 100.0), found_pose("near", 2.0)])
    assert [pose.sample.id for pose in ranked] == ["large", "near", "far"]


def test_subjects_without_norm_or_without_labels_have_a_place():
    ranked = rank([found_pose("b", 5.0, None), found_pose("a", 1.0, None), found_pose("none", 7.0, labelled=False)])
    assert [pose.sample.id for pose in ranked] == ["none", "a", "b"]


def test_three_best_three_middle_and_three_worst_of_many():
    ranked = [found_pose(f"{number:02d}", float(number)) for number in range(20)]
    chosen = {name: pose.sample.id for name, pose in choose(ranked).items()}
    assert [chosen[f"best-{n}"] for n in (1, 2, 3)] == ["00", "01", "02"]
    assert [chosen[f"worst-{n}"] for n in (1, 2, 3)] == ["19", "18", "17"]
    assert {chosen[f"median-{n}"] for n in (1, 2, 3)} <= {"08", "09", "10", "11"}


def test_each_subject_is_chosen_once_where_there_are_few():
    assert {
        name: pose.sample.id for name, pose in choose([found_pose("good", 1.0), found_pose("bad", 2.0)]).items()
    } == {
        "best-1": "good",
        "worst-1": "bad",
    }
