from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats import ReadOptions, Volume, read_labels, read_volume, write_labels
from datamodules.geometry import (
    bounding_box,
    canonical_array,
    crop,
    from_canonical,
    to_canonical,
)

SHAPE = (3, 4, 5)
ORIENTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def oriented_affine(order, signs, turn=None):
    """Return an affine whose axes run along the given RAS axes, each with another spacing."""
    linear = np.zeros((3, 3))
    for axis, (target, sign) in enumerate(zip(order, signs, strict=True)):
        linear[target, axis] = sign * (0.5, 1.25, 4.0)[axis]
    affine = np.eye(4)
    affine[:3, :3] = linear if turn is None else turn @ linear
    affine[:3, 3] = (10.5, -20.25, 300)
    return affine


def rotation(angles):
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    turn = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return turn @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])


def positions(affine, shape):
    """Return the position in mm of every voxel, [X, Y, Z, 3]."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), axis=-1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def numbered(affine):
    return Volume(np.arange(60, dtype=np.int16).reshape(1, *SHAPE), affine, Path("a.nii"))


def test_there_are_48_orientations_with_names_of_their_own():
    assert len({numbered(oriented_affine(*one)).orientation for one in ORIENTATIONS}) == 48


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_all_48_orientations_come_back_exactly(order, signs):
    volume = numbered(oriented_affine(order, signs))
    canonical = to_canonical(volume)
    assert canonical.orientation == "RAS"
    assert canonical.shape == volume.geometry.canonical().shape
    expected = nib.as_closest_canonical(nib.Nifti1Image(volume.array[0], volume.affine))
    np.testing.assert_array_equal(canonical.array[0], np.asanyarray(expected.dataobj))
    np.testing.assert_array_equal(canonical.affine, expected.affine)
    np.testing.assert_array_equal(from_canonical(canonical.array, volume.affine), volume.array)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_all_48_orientations_come_back_exactly_through_real_files(tmp_path, order, signs):
    volume = numbered(oriented_affine(order, signs))
    write_labels(tmp_path / "in.nii.gz", volume.array[0], volume.affine)
    source = read_labels(tmp_path / "in.nii.gz", ReadOptions(strict=True))
    canonical = canonical_array(source.array[0], source.affine)
    write_labels(tmp_path / "out.nii.gz", from_canonical(canonical, source.affine), source.affine)
    back = nib.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(back.dataobj), volume.array[0])
    np.testing.assert_array_equal(back.affine, nib.load(tmp_path / "in.nii.gz").affine)
    np.testing.assert_array_equal(back.affine, volume.affine)
    np.testing.assert_array_equal(read_volume(tmp_path / "out.nii.gz").array, volume.array)


@settings(deadline=None)
@given(st.sampled_from(ORIENTATIONS), st.tuples(*[st.floats(-3.2, 3.2)] * 3))
def test_oblique_volumes_keep_every_voxel_in_its_place(orientation, angles):
    volume = numbered(oriented_affine(*orientation, rotation(np.array(angles))))
    canonical = to_canonical(volume)
    moved = dict(zip(canonical.array.ravel(), positions(canonical.affine, canonical.shape).reshape(-1, 3), strict=True))
    for value, place in zip(volume.array.ravel(), positions(volume.affine, SHAPE).reshape(-1, 3), strict=True):
        np.testing.assert_allclose(moved[value], place, atol=1e-9)
    np.testing.assert_array_equal(from_canonical(canonical.array, volume.affine), volume.array)


@pytest.mark.parametrize("angles", list(product((0, np.pi / 4), repeat=3)))
def test_a_scan_at_45_degrees_has_one_canonical_order_however_it_is_stored(angles):
    upright = Volume(np.arange(60).reshape(1, *SHAPE), np.eye(4), Path("a.nii"))
    upright.affine[:3, :3] = rotation(np.array(angles)) * (0.5, 1.25, 4.0)
    found = set()
    for order, signs in ORIENTATIONS:
        steps = np.eye(4)
        steps[:3, :3] = np.eye(3)[:, order] * signs
        steps[:3, 3] = [SHAPE[axis] - 1 if signs[order.index(axis)] < 0 else 0 for axis in range(3)]
        flipped = [axis for axis in range(3) if signs[axis] < 0]
        stored = np.flip(upright.array[0].transpose(order), flipped)
        affine = (upright.affine @ steps).astype(np.float32).astype(np.float64)  # as headers hold it
        found.add(canonical_array(stored, affine).tobytes())
    assert len(found) == 1


def test_leading_axes_are_left_alone():
    affine = oriented_affine((2, 0, 1), (1, -1, -1))
    array = np.random.default_rng(0).random((2, 7, *SHAPE))
    np.testing.assert_array_equal(from_canonical(canonical_array(array, affine), affine), array)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, size - 1) for size in SHAPE]), min_size=1), st.integers(0, 3))
def test_bounding_box_holds_every_true_voxel_and_is_tight(voxels, margin):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(np.array(voxels).T)] = True
    box = bounding_box(mask, margin)
    assert box is not None
    assert crop(mask, box).sum() == mask.sum()
    for axis, (start, stop) in enumerate(box):
        found = np.array(voxels)[:, axis]
        assert start == max(found.min() - margin, 0)
        assert stop == min(found.max() + 1 + margin, SHAPE[axis])


def test_bounding_box_of_nothing_is_none():
    assert bounding_box(np.zeros(SHAPE, dtype=bool)) is None
