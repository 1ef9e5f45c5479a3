import logging
from pathlib import Path

import numpy as np
import pytest

from datamodules.cases import Case
from datamodules.checks import check_affines, check_finite, check_pair, read_pair, refuse_mirrored_sides
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume
from datamodules.labels import LabelSet
from datamodules.layouts import find_cases

SHAPE = (6, 5, 4)
LABELS = LabelSet.from_json({"background": 0, "left": 1, "right": 2})


def volume(array, affine=None, name="a.nii.gz"):
    return Volume(np.asarray(array), np.eye(4) if affine is None else affine, Path(name))


def image():
    return volume(np.zeros((1, *SHAPE), np.float32), name="image.nii.gz")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_f06_training_refuses_what_is_not_finite_and_names_the_file(value):
    array = np.zeros((2, *SHAPE), np.float32)
    array[1, 3, 2, 1] = array[1, 5, 4, 3] = value
    with pytest.raises(DataError, match=r"scan.nii.gz.*2 NaN or infinite.*\(3, 2, 1\) of channel 1"):
        check_finite(volume(array, name="scan.nii.gz"))
    check_finite(volume(np.zeros((1, *SHAPE), np.float32)))


def test_a_pair_on_one_grid_is_encoded():
    stored = np.arange(np.prod(SHAPE)).reshape(1, *SHAPE) % 3
    np.testing.assert_array_equal(check_pair(image(), volume(stored), LABELS), stored[0])


def test_f14_an_undeclared_value_is_refused_with_the_values_found():
    stored = np.zeros((1, *SHAPE), np.int32)
    stored[0, 0, 0] = (7, 9, 1, 0)
    with pytest.raises(DataError, match=r"label.nii.gz.*undeclared: 7, 9.*data.label_map"):
        check_pair(image(), volume(stored, name="label.nii.gz"), LABELS)


def test_f14_values_that_are_not_integers_are_refused(tmp_path, write_volume):
    scan = write_volume(tmp_path / "a_0000.nii.gz", np.zeros(SHAPE, np.float32))
    label = write_volume(tmp_path / "a.nii.gz", np.full(SHAPE, 0.5, np.float32))
    with pytest.raises(DataError, match=r"a.nii.gz.*integer"):
        read_pair(Case("a", "a", (scan,), label), LABELS)


def test_f15_another_shape_is_refused_even_when_resampling_is_allowed():
    label = volume(np.zeros((1, 6, 5, 3), np.uint8), name="label.nii.gz")
    with pytest.raises(DataError, match=r"label.nii.gz.*\(6, 5, 4\).*\(6, 5, 3\)"):
        check_pair(image(), label, LABELS, resample_labels=True)


def test_f15_another_affine_is_refused_over_a_micrometre():
    near, far = np.eye(4), np.eye(4)
    near[0, 3], far[0, 3] = 0.9e-3, 1.1e-3
    array = np.zeros((1, *SHAPE), np.uint8)
    check_pair(image(), volume(array, near), LABELS)
    with pytest.raises(DataError, match=r"data\.resample_labels"):
        check_pair(image(), volume(array, far), LABELS)


def test_f15_told_so_a_label_is_resampled_by_nearest_neighbour(caplog):
    stored = np.random.default_rng(0).integers(0, 3, (1, *SHAPE)).astype(np.uint8)
    flipped = np.diag([-1.0, 1, 1, 1])
    flipped[0, 3] = SHAPE[0] - 1
    with caplog.at_level(logging.WARNING):
        array = check_pair(image(), volume(stored[:, ::-1], flipped), LABELS, resample_labels=True)
    np.testing.assert_array_equal(array, stored[0])
    assert "nearest neighbour" in caplog.text


def test_f15_resampling_keeps_the_border_and_leaves_the_outside_empty():
    shifted = np.eye(4)
    shifted[0, 3] = 1.4  # the label's first voxel lies nearest to the image's second
    array = check_pair(image(), volume(np.ones((1, *SHAPE), np.uint8), shifted), LABELS, resample_labels=True)
    np.testing.assert_array_equal(array[:, 0, 0], [0, 1, 1, 1, 1, 1])


def test_a_case_without_a_label_is_refused(tmp_path, write_volume):
    scan = write_volume(tmp_path / "a.nii.gz", np.zeros(SHAPE, np.int16))
    with pytest.raises(DataError, match="a label file"):
        read_pair(Case("a", "a", (scan,)), LABELS)


def test_f06_every_channel_with_nan_is_counted():
    array = np.zeros((3, *SHAPE), np.float32)
    array[0, 0, 0, 0] = array[2, 1, 1, 1] = array[2, 5, 4, 3] = np.nan
    with pytest.raises(
        DataError, match=r"3 NaN or infinite, .*\(0, 0, 0\) of channel 0 \(channel 0: 1, channel 2: 2\)"
    ):
        check_finite(volume(array))


def test_f15_a_label_on_its_image_s_grid_is_passed_through():
    label = volume(np.zeros((1, *SHAPE), np.uint8))
    assert check_affines(image(), label) is label
    moved = volume(label.array, np.diag([1.0, 1.0, 1.1, 1.0]))
    np.testing.assert_array_equal(check_affines(image(), moved, resample=True).affine, image().affine)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "labels"),
    [("head_neck_ct", None), ("hippocampus_mr", None), ("em_membranes", {"membrane": 0, "cell": 255})],
)
def test_real_pairs_pass(shared_data, name, labels):
    listing = find_cases(shared_data / name, labels=labels)
    for case in listing.cases[:3]:
        volume_, label = read_pair(case, listing.labels, channels=1)
        assert label.shape == volume_.shape
        assert label.max() == listing.labels.num_channels - 1


@pytest.mark.parametrize(
    "names",
    [
        ("Brainstem", "RightParotid", "LeftParotid"),
        ("kidney_left", "kidney_right"),
        ("lung_L", "lung_R"),
        ("R-Femur", "L-Femur"),
    ],
)
def test_sides_that_are_labels_are_not_mirrored(names):
    refuse_mirrored_sides(names, [1, 2])
    with pytest.raises(DataError, match="no axis 0"):
        refuse_mirrored_sides(names, [0, 1])


@pytest.mark.parametrize(
    "names", [("liver", "spleen"), ("left_atrium",), ("Anterior", "Posterior"), ("cell_l", "cell_m")]
)
def test_labels_without_sides_may_be_mirrored(names):
    refuse_mirrored_sides(names, [0, 1, 2])
