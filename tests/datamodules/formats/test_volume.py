from pathlib import Path

import numpy as np
import pytest

from datamodules.formats import DataError, Volume, stack_channels


def volume(shape=(1, 4, 5, 6), affine=None, name="a.nii"):
    affine = np.diag([-2.0, -3.0, -4.0, 1.0]) if affine is None else affine
    return Volume(np.zeros(shape, dtype=np.float32), affine, Path(name))


def test_geometry_is_derived_from_the_affine():
    affine = np.array([[0, 0, 3.0, 7], [-2, 0, 0, 8], [0, 1.5, 0, 9], [0, 0, 0, 1]])
    one = volume(affine=affine)
    assert one.spacing_mm == (2.0, 1.5, 3.0)
    assert one.orientation == "PSR"
    assert one.origin_mm == (7.0, 8.0, 9.0)
    assert one.shape == (4, 5, 6)
    assert volume().orientation == "LPI"


def test_affine_is_a_copy_in_float64():
    affine = np.eye(4, dtype=np.float32)
    one = volume(affine=affine)
    affine[0, 0] = 9
    assert one.affine.dtype == np.float64
    assert one.affine[0, 0] == 1


@pytest.mark.parametrize(("shape", "affine"), [((4, 5, 6), np.eye(4)), ((1, 4, 5, 6), np.eye(3))])
def test_wrong_ranks_are_refused(shape, affine):
    with pytest.raises(ValueError, match=r"a\.nii"):
        volume(shape, affine)


def test_stacking_joins_channels_in_order():
    first, second = volume(), Volume(np.ones((2, 4, 5, 6)), volume().affine + 1e-4, Path("b.nii"))
    stacked = stack_channels([first, second])
    assert stacked.array.shape == (3, 4, 5, 6)
    assert stacked.array[:, 0, 0, 0].tolist() == [0, 1, 1]
    assert stacked.path == first.path
    assert stack_channels([first]) is first


def test_stacking_refuses_another_geometry_and_names_both_files():
    with pytest.raises(DataError, match=r"b\.nii.*\(4, 5, 6\) of a\.nii"):
        stack_channels([volume(), volume((1, 4, 5, 7), name="b.nii")])
    with pytest.raises(DataError, match=r"b\.nii.*affine of a\.nii"):
        stack_channels([volume(), volume(affine=volume().affine + 2e-3, name="b.nii")])
