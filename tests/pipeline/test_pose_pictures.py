import dataclasses

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from datamodules.cropping import box_to_original, invert, transform
from datamodules.keypoints import Skeleton
from pipeline.pose_pictures import (
    DrawnPose,
    contact_sheet_png,
    draw_pose,
    joint_colours,
    subject_png,
    subject_region,
)

SKELETON = Skeleton(("nose", "left_hand", "right_hand"), ((0, 1), (0, 2)), ((1, 2),))


def drawn_pose(**changes):
    truth = np.array([[50.0, 20.0], [30.0, 60.0], [70.0, 60.0]])
    pose = DrawnPose(
        case="walker",
        image=np.full((100, 120, 3), 90, np.uint8),
        points=truth + np.array([[0.0, 0.0], [6.0, 0.0], [0.0, -6.0]]),
        confidence=np.array([1.0, 0.5, 0.0]),
        truth=truth,
        labelled=np.array([True, True, True]),
        note="mean error 4.0 px",
    )
    return dataclasses.replace(pose, **changes)


def opened(path):
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.std() > 5  # something is drawn
    return picture


def test_a_subject_is_drawn_large_enough_to_be_judged(tmp_path):
    subject_png(drawn_pose(), SKELETON, tmp_path / "walker.png")
    assert min(opened(tmp_path / "walker.png").shape[:2]) > 300


def test_found_joints_and_true_ones_lie_where_they_are_in_the_picture():
    pose, size = drawn_pose(), (200, 200)
    axes = Figure().add_subplot()
    draw_pose(axes, pose, SKELETON, size, line=2, marker=5)
    back = invert(box_to_original(subject_region(pose), size))
    places = [tuple(line.get_xydata()[0]) for line in axes.lines if len(line.get_xydata()) == 1]
    for expected in (*transform(back, pose.points), *transform(back, pose.truth)):
        assert any(np.allclose(expected, place) for place in places)


def test_opacity_follows_the_confidence():
    axes = Figure().add_subplot()
    draw_pose(axes, drawn_pose(), SKELETON, (200, 200), line=2, marker=5)
    filled = [line for line in axes.lines if len(line.get_xydata()) == 1 and line.get_markerfacecolor() != "none"]
    opacities = [line.get_alpha() for line in filled]
    assert opacities == sorted(opacities, reverse=True)
    assert opacities[0] == 1.0
    assert opacities[-1] < 0.25


def test_an_unlabelled_joint_has_neither_ring_nor_error():
    labelled = np.array([True, False, False])
    counts = []
    for mask in (labelled, ~labelled):
        axes = Figure().add_subplot()
        draw_pose(axes, drawn_pose(labelled=mask), SKELETON, (200, 200), line=2, marker=5)
        counts.append(len(axes.lines))
    assert counts[1] - counts[0] == 3  # one more labelled joint: its error, and its ring in black and white


def test_a_joint_that_is_found_far_away_is_in_the_picture():
    near, far = drawn_pose(), drawn_pose(points=np.array([[50.0, 20.0], [30.0, 60.0], [400.0, 60.0]]))
    assert subject_region(near)[2] < 120
    x, _, width, _ = subject_region(far)
    assert x <= 30
    assert x + width >= 400


def test_a_subject_without_any_label_shows_the_whole_image(tmp_path):
    pose = drawn_pose(labelled=np.zeros(3, bool))
    assert subject_region(pose) == (-0.5, -0.5, 120.0, 100.0)
    subject_png(pose, SKELETON, tmp_path / "walker.png")
    opened(tmp_path / "walker.png")


def test_joints_are_coloured_by_side_as_in_the_overlay_where_sides_are_known():
    assert joint_colours(SKELETON) == ["#3cdc3c", "#ff8c00", "#0096ff"]
    assert len(set(joint_colours(Skeleton(("a", "b", "c", "d"))))) == 4


def test_a_sheet_holds_several_subjects_and_odd_names(tmp_path):
    few = [drawn_pose(case=f"$x_{number}$" + "long" * 30) for number in range(4)]
    contact_sheet_png(few, SKELETON, tmp_path / "sheet.png", "worst of 4")
    contact_sheet_png(few[:1], SKELETON, tmp_path / "one.png", "worst of 1")
    assert opened(tmp_path / "sheet.png").shape[1] > 2 * opened(tmp_path / "one.png").shape[1]


def test_a_sheet_of_nobody_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one subject"):
        contact_sheet_png([], SKELETON, tmp_path / "sheet.png", "none")
