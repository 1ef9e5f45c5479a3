import numpy as np
import pytest

from datamodules.keypoints import Skeleton
from pipeline.inference.pose_overlay import draw_pose, empty_picture, joint_colors, marker_radius

ONE = Skeleton(("nose",))
ARM = Skeleton(("left_hand", "neck", "right_hand"), edges=((0, 1), (1, 2)), pairs=((0, 2),))


def dark(width=320, height=240, value=30):
    return np.full((height, width, 3), value, np.uint8)


def centre(drawn, image):
    """The middle of what was drawn, weighted by how much it changed the picture."""
    weight = np.abs(drawn.astype(float) - image).sum(axis=-1)
    y, x = np.indices(weight.shape)
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize("size", [(320, 240), (1280, 960)])
def test_a_marker_s_centre_is_the_joint(size):
    image = dark(*size)
    for point in np.random.default_rng(0).uniform(20, 200, (8, 2)):
        drawn = draw_pose(image, point[None], [1.0], ONE)
        np.testing.assert_allclose(centre(drawn, image), point, atol=0.08)


def test_opacity_is_the_confidence():
    image, point = dark(), np.array([[100.0, 80.0]])
    color = np.array(joint_colors(ONE)[0], float)
    for confidence in (0.2, 0.5, 1.0):
        pixel = draw_pose(image, point, [confidence], ONE)[80, 100]
        np.testing.assert_allclose(pixel, 30 + confidence * (color - 30), atol=1)
    for confidence in (0.0, np.nan):
        np.testing.assert_array_equal(draw_pose(image, point, [confidence], ONE), image)


def test_sides_have_their_colours_and_limbs_join_joints():
    left, middle, right = joint_colors(ARM)
    assert len({left, middle, right}) == 3
    drawn = draw_pose(dark(), [[50, 100], [150, 100], [250, 100]], [1, 1, 1], ARM)
    for x, color in ((50, left), (100, left), (150, middle), (200, right), (250, right)):
        np.testing.assert_allclose(drawn[100, x], color, atol=2)
    assert (drawn[104:110, 90:110] == 30).all()


def test_joints_without_sides_differ():
    assert len(set(joint_colors(Skeleton(tuple("abcdefgh"))))) == 8


def test_what_is_empty_or_outside_is_not_drawn():
    image = dark()
    for point in ([np.nan, np.nan], [np.inf, 5.0], [-50.0, -50.0], [1e12, 5.0], [500.0, 100.0]):
        np.testing.assert_array_equal(draw_pose(image, [point], [1.0], ONE), image)
    drawn = draw_pose(image, [[50, 100], [np.nan, 100], [250, 100]], [1, 1, 1], ARM)
    np.testing.assert_array_equal(drawn[100, 60:240], image[100, 60:240])
    assert drawn[100, 50].tolist() != [30, 30, 30]


def test_a_limb_to_a_joint_outside_is_drawn_up_to_the_border():
    drawn = draw_pose(dark(), [[-100, 100], [100, 100], [np.nan, 0]], [1, 1, 1], ARM)
    assert (drawn[100, :101] != 30).any(axis=-1).all()
    assert (drawn[100, 110:] == 30).all()


def test_a_marker_at_the_border_is_cut_there():
    drawn = draw_pose(dark(), [[0.0, 0.0]], [1.0], ONE)
    radius = marker_radius(240, 320)
    assert (drawn[0, 0] != 30).any()
    assert (drawn[int(radius) + 3 :, :] == 30).all()


def test_the_trail_fades_with_age_and_the_image_is_left_alone():
    image = dark()
    trail = [[[40.0, 60.0]], [[80.0, 60.0]], [[120.0, 60.0]]]
    drawn = draw_pose(image, [[160.0, 60.0]], [1.0], ONE, trail)
    strength = [np.abs(drawn[60, x].astype(int) - 30).sum() for x in (60, 100, 140)]
    assert 0 < strength[0] < strength[1] < strength[2]
    assert (image == 30).all()
    gap = draw_pose(image, [[160.0, 60.0]], [1.0], ONE, [trail[0], [[np.nan, np.nan]], trail[2]])
    assert (gap[60, 45:115] == 30).all()


def test_an_empty_picture_says_why():
    picture = empty_picture(320, 240, "frame 7 unreadable")
    assert picture.shape == (240, 320, 3)
    assert picture.max() > 150
    assert empty_picture(1, 1, "x").shape == (1, 1, 3)


def test_shapes_of_another_skeleton_are_refused():
    with pytest.raises(ValueError, match="expected 3 joints, found"):
        draw_pose(dark(), np.zeros((2, 2)), np.zeros(3), ARM)
