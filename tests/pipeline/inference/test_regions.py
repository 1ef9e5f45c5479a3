"""The subject's box, frame by frame."""

import numpy as np
import pytest

from datamodules.cropping import PosePreprocessing, transform, whole_image
from pipeline.inference.regions import FileRegion, FixedRegion, FollowRegion, FrameRegion, inside, scaled

POINTS = np.array([[10.0, 20.0], [30.0, 60.0], [20.0, 30.0], [25.0, 50.0]])
SURE = np.ones(4)


def test_a_box_grows_about_its_centre():
    assert scaled((10, 20, 4, 8), 1.5) == (9, 18, 6, 12)


@pytest.mark.parametrize("subject", ["box", "image"])
def test_a_whole_frame_is_shown_to_its_borders_whatever_the_model_adds_to_boxes(subject):
    preprocessing = PosePreprocessing((64, 32), subject, padding=1.4)
    affine = preprocessing.affine(FrameRegion(preprocessing).box(0, 200, 100))
    corners = transform(affine, np.array([[-0.5, -0.5], [63.5, 31.5]]))
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [199.5, 99.5]])


def test_a_fixed_box_stays():
    assert FixedRegion((1, 2, 3, 4)).box(7, 100, 100) == (1, 2, 3, 4)


def test_a_frame_without_a_box_keeps_the_last_one_and_this_is_said():
    region = FileRegion({1: (0, 0, 5, 5), 3: (1, 1, 5, 5), 9: (2, 2, 5, 5)})
    assert [region.box(index, 50, 50) for index in range(5)] == [
        None,
        (0, 0, 5, 5),
        (0, 0, 5, 5),
        (1, 1, 5, 5),
        (1, 1, 5, 5),
    ]
    messages = region.messages()
    assert [message.split()[0] for message in messages] == ["2", "1", "1"]
    assert "before the first box" in messages[1]


def test_a_box_outside_of_a_frame_is_none_and_this_is_said():
    fixed = FixedRegion((60, 5, 20, 20))
    assert [fixed.box(n, width, 50) for n, width in enumerate((100, 60, 61))] == [
        (60, 5, 20, 20),
        None,
        (60, 5, 20, 20),
    ]
    assert fixed.messages() == ["1 frames have a box that lies wholly outside of them, their rows are empty"]
    region = FileRegion({0: (1, 1, 5, 5), 1: (0, -30, 9, 9), 3: (2, 2, 5, 5)})
    assert [region.box(index, 50, 50) for index in range(4)] == [(1, 1, 5, 5), None, None, (2, 2, 5, 5)]
    assert region.messages()[-1].startswith("2 frames have a box that lies wholly outside")


@pytest.mark.parametrize(
    ("point", "there"), [(-0.5, True), (-0.51, False), (99.5, True), (99.51, False), (np.nan, False)]
)
def test_a_frame_reaches_half_a_pixel_beyond_its_outermost_centres(point, there):
    assert inside(np.array([[point, 5.0], [5.0, 5.0]]), (100, 90)).tolist() == [there, True]
    joints = POINTS.copy()
    joints[0, 0] = point
    region = follow()
    region.update(joints, SURE, 100, 90)
    assert (region.box(1, 100, 90) == (20, 30, 10, 30)) is not there


def follow(subject="box"):
    return FollowRegion(PosePreprocessing((64, 64), subject), min_confidence=0.5)


def test_the_first_frame_is_searched_as_a_whole_and_the_next_where_the_joints_were():
    region = follow()
    assert region.box(0, 100, 90) == scaled(whole_image(100, 90), 1 / 1.25)
    region.update(POINTS, SURE, 100, 90)
    assert region.box(1, 100, 90) == (10, 20, 20, 40)
    assert region.messages() == []


def test_a_model_without_a_margin_of_its_own_gets_one():
    region = follow("image")
    region.update(POINTS, SURE, 100, 90)
    assert region.box(1, 100, 90) == scaled((10, 20, 20, 40), 1.25)


def test_joints_that_are_not_confident_or_out_of_the_frame_do_not_count():
    region = follow()
    far = np.array([[500.0, 20.0], *POINTS[1:3], [-40.0, 0.0]])
    region.update(far, SURE, 100, 90)
    assert region.box(1, 100, 90) == (20, 30, 10, 30)


def test_a_lost_subject_is_searched_on_the_whole_frame_and_counted():
    region = follow()
    region.box(0, 100, 90)
    region.update(POINTS, SURE, 100, 90)
    region.box(1, 100, 90)
    region.update(POINTS, np.array([1, 0.1, 0.1, 0.1]), 100, 90)
    assert region.box(2, 100, 90) == follow().box(0, 100, 90)
    assert region.messages() == ["1 frames after the first were searched as a whole"]


def test_the_box_does_not_shrink_at_once_where_joints_collapse():
    region = follow()
    region.update(POINTS, SURE, 100, 90)
    region.update(np.full((4, 2), 40.0), SURE, 100, 90)
    assert region.box(2, 100, 90) == pytest.approx((31, 22, 18, 36))
