from pathlib import Path

import numpy as np
import pytest

from datamodules.formats import DataError
from datamodules.formats.volumes import all_volumes, pick_volume, scaled

PATH = Path("a.nii")
VOXELS = np.arange(4 * 5 * 6 * 2 * 3).reshape(4, 5, 6, 2, 3)


def test_volumes_come_with_the_fourth_axis_fastest():
    volumes = all_volumes(VOXELS)
    assert volumes.shape == (6, 4, 5, 6)
    for index in range(6):
        truth = VOXELS[..., index % 2, index // 2]
        np.testing.assert_array_equal(volumes[index], truth)
        np.testing.assert_array_equal(pick_volume(PATH, VOXELS, index), truth)


def test_one_volume_needs_no_choice():
    for array in (VOXELS[..., 0, 0], VOXELS[..., :1, :1]):
        np.testing.assert_array_equal(pick_volume(PATH, array, None), VOXELS[..., 0, 0])


@pytest.mark.parametrize(
    ("index", "message"), [(None, "6 volumes; choose one with --volume 0 to 5"), (6, "--volume 6"), (-1, "--volume -1")]
)
def test_f09_a_volume_that_is_not_chosen_or_not_there_is_refused(index, message):
    with pytest.raises(DataError, match=message):
        pick_volume(PATH, VOXELS, index)


def test_f08_numbers_are_scaled_in_float64_once():
    stored = np.array([2**24 + 1, -7], np.int32).reshape(1, 1, 1, 2)
    np.testing.assert_array_equal(scaled(PATH, stored, (0.5, 3), np.float64).ravel(), [(2**24 + 1) / 2 + 3, -0.5])
    np.testing.assert_array_equal(scaled(PATH, stored, (1.0, 0.0), np.float32).ravel(), [2**24, -7])
    with pytest.raises(DataError, match=r"values within float32, found larger ones, with slope 1e\+38"):
        scaled(PATH, stored, (1e38, 0), np.float32)
