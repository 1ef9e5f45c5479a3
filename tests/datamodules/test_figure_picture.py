import numpy as np
import pytest

from datamodules.figure_picture import make_picture
from datamodules.keypoints import OCCLUDED, UNLABELLED, VISIBLE

SIZE = (128, 112)


@pytest.fixture(scope="module")
def pictures():
    return [make_picture((1, 0, index), SIZE) for index in range(60)]


def test_equal_keys_give_equal_pictures():
    first, again, other = (make_picture(key, SIZE) for key in ((1, 2, 3), (1, 2, 3), (1, 2, 4)))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.joints, again.joints)
    assert not np.array_equal(first.joints, other.joints)


def test_most_joints_show_and_some_are_hidden_or_cut_off(pictures):
    visibility = np.stack([picture.visibility for picture in pictures])
    assert 0.85 < (visibility == VISIBLE).mean() < 0.98
    assert 0.02 < (visibility == OCCLUDED).mean() < 0.12
    assert 0 < (visibility == UNLABELLED).mean() < 0.05
    assert (visibility > UNLABELLED).sum(axis=1).min() >= 6


def test_a_joint_is_labelled_just_where_it_is_in_the_image(pictures):
    for picture in pictures:
        inside = ((picture.joints >= -0.5) & (picture.joints < np.array(SIZE) - 0.5)).all(axis=1)
        np.testing.assert_array_equal(picture.visibility > UNLABELLED, inside)


def test_the_box_holds_the_labelled_joints_and_lies_in_the_image(pictures):
    for picture in pictures:
        x, y, width, height = picture.box
        assert x >= -0.5
        assert y >= -0.5
        assert x + width <= SIZE[0] - 0.5 + 1e-6
        assert y + height <= SIZE[1] - 0.5 + 1e-6
        labelled = picture.joints[picture.visibility > UNLABELLED]
        assert (labelled >= np.array([x, y]) - 0.4).all()
        assert (labelled <= np.array([x + width, y + height]) + 0.4).all()
        assert 0.05 * width * height < picture.area_px < 0.8 * width * height


def test_persons_fill_a_good_part_of_the_image(pictures):
    heights = [picture.box[3] for picture in pictures]
    assert 0.5 * SIZE[1] < np.median(heights) < 0.95 * SIZE[1]


def test_the_left_shoulder_is_on_either_side_of_the_image(pictures):
    # Front and back have to be told apart: the place in the image alone does not tell left from right.
    left = [picture.joints[9, 0] > picture.joints[8, 0] for picture in pictures]
    assert 0.4 < np.mean(left) < 0.8
