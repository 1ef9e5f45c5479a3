import numpy as np

from datamodules.integrity.thumbnail import EDGE, thumbnail


def test_the_slice_with_most_labels_is_shown_right_side_left_and_front_on_top():
    channel, label = np.zeros((10, 8, 6), np.float32), np.zeros((10, 8, 6), np.uint8)
    channel[9, 7, 4] = 100  # the patient's right and front
    label[2:5, 1:3, 4], label[0, 0, 1] = 2, 1
    picture, marks = thumbnail(channel, label, (1.0, 1.0, 3.0), (0.0, 100.0))
    assert picture.shape == marks.shape == (8, 10)
    assert picture[0, 0] == 255
    assert picture.sum() == 255
    assert set(np.unique(marks)) == {0, 2}
    np.testing.assert_array_equal(marks[5:7, 5:8], 2)


def test_without_a_label_the_middle_slice_is_shown():
    channel = np.zeros((5, 5, 7), np.float32)
    channel[:, :, 3] = 1
    picture, marks = thumbnail(channel, None, (1.0, 1.0, 1.0), (0.0, 1.0))
    assert picture.min() == 255
    assert not marks.any()


def test_a_picture_is_bounded_and_keeps_its_proportions():
    picture, marks = thumbnail(np.zeros((512, 256, 3), np.float32), None, (1.0, 1.0, 1.0), (0.0, 1.0))
    assert picture.shape == marks.shape == (EDGE // 2, EDGE)
    assert thumbnail(np.zeros((40, 40, 3), np.float32), None, (1.0, 2.0, 1.0), (0.0, 1.0))[0].shape == (80, 40)


def test_a_2d_image_lies_as_it_is_shown():
    channel = np.zeros((4, 3, 1), np.float32)
    channel[3, 0, 0] = 1  # the last column of the first row
    assert thumbnail(channel, None, (1.0, 1.0, 1.0), (0.0, 1.0))[0][0, 3] == 255


def test_of_overlapping_structures_the_last_is_shown():
    masks = np.zeros((2, 4, 4, 2), np.uint8)
    masks[0, :, :, 0], masks[1, 1, 1, 0] = 1, 1
    _, marks = thumbnail(np.zeros((4, 4, 2), np.float32), masks, (1.0, 1.0, 1.0), (0.0, 1.0))
    assert (marks == 1).sum() == 15
    assert (marks == 2).sum() == 1


def test_values_beyond_the_limits_are_cut_off():
    channel = np.array([-1e9, 0, 5, 10, 1e9], np.float32).reshape(5, 1, 1)
    picture, _ = thumbnail(channel, None, (1.0, 1.0, 1.0), (0.0, 10.0))
    assert picture.tolist() == [[0, 0, 127, 255, 255]]
