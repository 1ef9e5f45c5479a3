from pathlib import Path

import numpy as np
import pytest

from datamodules.keypoints import PoseSample, Skeleton
from pipeline.metrics.keypoint_norm import KeypointNorm, choose_norm, labelled_box

BODY = Skeleton(("head_top", "left_shoulder", "right_hip", "left_hip"))
MOUSE = Skeleton(("snout", "leftear", "tailbase"))


def sample(points, visibility=None, **annotation):
    keypoints = np.array(points, np.float32)
    seen = np.full(len(points), 2) if visibility is None else np.array(visibility)
    return PoseSample("a", "a", Path("a.png"), keypoints, seen.astype(np.uint8), **annotation)


BODY_POINTS = [(0, 0), (10, 10), (40, 50), (10, 50)]


def test_the_torso_reaches_from_the_left_shoulder_to_the_right_hip():
    norm, words = choose_norm("auto", None, BODY, [sample(BODY_POINTS)])
    assert norm == KeypointNorm("torso", (1, 2))
    assert norm.length_px(sample(BODY_POINTS)) == pytest.approx(50)  # a triangle of 30, 40, 50
    assert "left_shoulder and right_hip" in words


@pytest.mark.parametrize(
    "names",
    [("L_Shoulder", "R_Hip"), ("shoulder-l", "hip-r"), ("LeftShoulder", "RightHip"), ("lsho", "rhip")],
)
def test_the_torso_is_found_under_other_spellings(names):
    norm, _ = choose_norm("torso", None, Skeleton(("nose", *names)), [sample([(0, 0), (0, 3), (4, 0)])])
    assert norm.joints == (1, 2)


def test_a_torso_of_an_unlabelled_joint_is_no_norm():
    norm = KeypointNorm("torso", (1, 2))
    assert norm.length_px(sample(BODY_POINTS, [2, 0, 2, 2])) is None
    assert norm.length_px(sample(BODY_POINTS, [2, 1, 1, 2])) == pytest.approx(50)
    assert norm.length_px(sample([(0, 0)] * 4)) is None  # both on one spot


def test_named_joints_make_the_torso_of_an_animal():
    norm, words = choose_norm("auto", ("snout", "tailbase"), MOUSE, [sample([(0, 0), (1, 1), (6, 8)])])
    assert norm.joints == (0, 2)
    assert norm.length_px(sample([(0, 0), (1, 1), (6, 8)])) == pytest.approx(10)
    assert "snout and tailbase (torso), as asked for" in words


def test_the_head_is_taken_where_every_subject_has_one():
    both = [sample(BODY_POINTS, head_size_px=12.0), sample(BODY_POINTS, head_size_px=18.0)]
    norm, words = choose_norm("auto", None, BODY, both)
    assert norm == KeypointNorm("head")
    assert [norm.length_px(one) for one in both] == [12.0, 18.0]
    assert "0.6" in words
    assert choose_norm("auto", None, BODY, [both[0], sample(BODY_POINTS)])[0].kind == "torso"


def test_without_a_torso_the_larger_side_of_the_labelled_joints_is_taken():
    mouse = sample([(5, 5), (15, 9), (1000, 1000)], [2, 1, 0])
    norm, words = choose_norm("auto", None, MOUSE, [mouse])
    assert norm == KeypointNorm("box")
    assert labelled_box(mouse) == (5, 5, 10, 4)
    assert norm.length_px(mouse) == 10
    assert "around the labelled joints" in words


def test_annotated_boxes_are_taken_only_where_every_subject_has_one():
    boxed = sample([(5, 5), (15, 9), (7, 7)], box=(0.0, 0.0, 30.0, 70.0))
    norm, words = choose_norm("box", None, MOUSE, [boxed])
    assert norm.length_px(boxed) == 70
    assert "that is annotated" in words
    mixed, _ = choose_norm("box", None, MOUSE, [boxed, sample([(5, 5), (15, 9), (7, 7)])])
    assert mixed.length_px(boxed) == 10


def test_one_labelled_joint_or_none_has_no_box():
    assert KeypointNorm("box").length_px(sample([(5, 5), (0, 0), (0, 0)], [2, 0, 0])) is None
    assert KeypointNorm("box").length_px(sample([(0, 0)] * 3, [0, 0, 0])) is None


def test_auto_goes_on_to_the_box_where_no_torso_is_labelled():
    assert choose_norm("auto", None, BODY, [sample(BODY_POINTS, [2, 0, 2, 2])])[0].kind == "box"


def test_the_words_tell_how_many_subjects_lack_the_norm():
    samples = [sample(BODY_POINTS), sample(BODY_POINTS, [2, 0, 2, 2]), sample(BODY_POINTS)]
    assert "1 of 3 subjects lack it" in choose_norm("torso", None, BODY, samples)[1]


@pytest.mark.parametrize(
    ("kind", "joints", "skeleton", "message"),
    [
        ("torso", None, MOUSE, "left_shoulder and right_hip"),
        ("torso", ("snout", "nose"), MOUSE, "found nose"),
        ("torso", ("snout", "snout"), MOUSE, "two different joints"),
        ("box", ("snout", "tailbase"), MOUSE, "only with the norm torso"),
        ("head", None, MOUSE, "none of 1"),
        ("neck", None, MOUSE, "'neck'"),
    ],
)
def test_a_norm_that_cannot_be_is_refused(kind, joints, skeleton, message):
    with pytest.raises(ValueError, match=message):
        choose_norm(kind, joints, skeleton, [sample([(0, 0), (1, 1), (6, 8)])])


def test_a_norm_without_its_joints_is_refused():
    with pytest.raises(ValueError, match="two joints for a torso"):
        KeypointNorm("torso")
    with pytest.raises(ValueError, match="none otherwise"):
        KeypointNorm("box", (0, 1))
