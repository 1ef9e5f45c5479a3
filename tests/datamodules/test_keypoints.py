import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.keypoints import OCCLUDED, UNLABELLED, VISIBLE, PoseSample, Skeleton

BODY = Skeleton(("nose", "left_hand", "right_hand", "tail"), edges=((0, 1), (0, 2)), pairs=((1, 2),))


def test_a_mirror_exchanges_pairs_and_nothing_else():
    assert BODY.mirrored == (0, 2, 1, 3)
    order = np.array(BODY.mirrored)
    assert (order[order] == np.arange(4)).all()


def test_a_skeleton_survives_json():
    assert Skeleton.from_dict(json.loads(json.dumps(BODY.to_dict()))) == BODY
    assert Skeleton.from_dict(BODY.to_dict()) == BODY


def test_joints_are_found_by_name():
    assert BODY.indices(["tail", "nose"]) == (3, 0)
    with pytest.raises(ValueError, match=r"expected joints of nose, .*found ear"):
        BODY.indices(["nose", "ear"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ()}, "at least one"),
        ({"names": ("a", "a")}, "all different"),
        ({"names": ("a", "b"), "pairs": ((0, 1), (1, 0))}, "each joint in one at most"),
        ({"names": ("a", "b"), "pairs": ((0, 0),)}, "each joint in one at most"),
        ({"names": ("a", "b"), "pairs": ((0, 2),)}, "from 0 to 1, found 2"),
        ({"names": ("a", "b"), "edges": ((-1, 0),)}, "from 0 to 1, found -1"),
    ],
)
def test_a_skeleton_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Skeleton(**changes)


def test_visibility_counts_as_in_coco():
    assert (UNLABELLED, OCCLUDED, VISIBLE) == (0, 1, 2)


def test_a_sample_knows_its_files():
    sample = PoseSample("a", "g", Path("a.png"), np.zeros((1, 2), np.float32), np.zeros(1, np.uint8))
    assert sample.files == (Path("a.png"),)
