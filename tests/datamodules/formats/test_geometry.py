from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats import DataError
from datamodules.formats.geometry import Geometry, canonical_axes, check_affine

ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def made(order=(0, 1, 2), signs=(1, 1, 1), angles=(0, 0, 0), spacing=(0.7, 1.25, 4.0), shear=(0, 0, 0)):
    """Return an affine: sheared axes along the RAS axes of the given order, turned by angles in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    turn = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn = turn @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    skew = np.array([[1, shear[0], shear[1]], [0, 1, shear[2]], [0, 0, 1]])
    linear = np.zeros((3, 3))
    for axis in range(3):
        linear[:, axis] = (turn @ skew)[:, order[axis]] * signs[axis] * spacing[order[axis]]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear, (-120.5, 33.25, 900)
    return affine


def places(geometry):
    """Return the position in mm of every voxel's centre, [X, Y, Z, 3]."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
    return index @ geometry.affine[:3, :3].T + geometry.affine[:3, 3]


@st.composite
def geometries(draw, sheared=True):
    order, signs = draw(st.sampled_from(ORIENTATIONS))
    angles = draw(st.tuples(*[st.floats(-3.2, 3.2)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.05, 20)] * 3))
    shear = draw(st.tuples(*[st.floats(-0.6, 0.6)] * 3)) if sheared else (0, 0, 0)
    shape = draw(st.tuples(*[st.integers(1, 40)] * 3))
    return Geometry(shape, made(order, signs, angles, spacing, shear))


@st.composite
def boxes(draw, shape):
    box = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        box.append((start, draw(st.integers(start + 1, size))))
    return tuple(box)


def test_spacing_origin_and_orientation_are_derived_from_the_affine():
    affine = np.array([[0, 0, 3.0, 7], [-2, 0, 0, 8], [0, 1.5, 0, 9], [0, 0, 0, 1]])
    one = Geometry((4, 5, 6), affine)
    assert one.spacing_mm == (2.0, 1.5, 3.0)
    assert one.origin_mm == (7.0, 8.0, 9.0)
    assert one.orientation == "PSR"
    assert not one.is_sheared


@settings(deadline=None)
@given(st.sampled_from(ORIENTATIONS), st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_orientation_is_that_of_nibabel(orientation, angles):
    geometry = Geometry((2, 3, 4), made(*orientation, angles))
    assert geometry.orientation == "".join(nib.aff2axcodes(geometry.affine))
    assert geometry.canonical().orientation == "RAS"


def test_the_affine_is_a_copy_that_nobody_can_change():
    affine = np.eye(4, dtype=np.float32)
    one = Geometry((1, 2, 3), affine)
    affine[0, 0] = 9
    assert one.affine.dtype == np.float64
    assert one.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        one.affine[0, 0] = 2


@pytest.mark.parametrize(("shape", "affine"), [((1, 2, 3), np.eye(3)), ((1, 2), np.eye(4)), ((1, 0, 3), np.eye(4))])
def test_wrong_ranks_and_empty_shapes_are_refused(shape, affine):
    with pytest.raises(ValueError, match=r"4 x 4|three counts"):
        Geometry(shape, affine)


@settings(deadline=None)
@given(geometries(), st.data())
def test_steps_compose_into_one_affine_that_inverts(source, data):
    box = data.draw(boxes(source.canonical().shape))
    prepared = source.canonical().cropped(box).resampled(data.draw(st.tuples(*[st.integers(1, 50)] * 3)))
    steps = [source, source.canonical(), source.canonical().cropped(box), prepared]
    one = source.index_map(prepared)
    many = steps[2].index_map(steps[3]) @ steps[1].index_map(steps[2]) @ steps[0].index_map(steps[1])
    np.testing.assert_allclose(one, many, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(prepared.index_map(source) @ one, np.eye(4), atol=1e-9)
    corner = np.array([*source.shape, 1.0])
    np.testing.assert_allclose(prepared.affine @ one @ corner, source.affine @ corner, atol=1e-9)


@settings(deadline=None)
@given(geometries(), st.data())
def test_a_crop_in_canonical_orientation_leaves_every_centre_in_its_place(source, data):
    box = data.draw(boxes(source.canonical().shape))
    kept = source.canonical().cropped(box)
    axes = canonical_axes(source.affine)
    index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in box), indexing="ij"), axis=-1)
    for target, (axis, flipped) in enumerate(axes):
        if flipped:
            index[..., target] = source.shape[axis] - 1 - index[..., target]
    of_file = index[..., [[axis for axis, _ in axes].index(axis) for axis in range(3)]]
    np.testing.assert_allclose(places(kept), of_file @ source.affine[:3, :3].T + source.affine[:3, 3], atol=1e-9)


@settings(deadline=None)
@given(geometries(), st.tuples(*[st.integers(1, 9)] * 3))
def test_resampling_keeps_the_outer_corners(geometry, new_shape):
    resampled = geometry.resampled(new_shape)
    for corner in product((0, 1), repeat=3):
        before, after = (np.array([*(np.array(corner) * s - 0.5), 1]) for s in (geometry.shape, new_shape))
        np.testing.assert_allclose(resampled.affine @ after, geometry.affine @ before, atol=1e-9)
    np.testing.assert_array_equal(geometry.resampled(geometry.shape).affine, geometry.affine)


@settings(deadline=None)
@given(geometries(sheared=False))
def test_orthogonal_axes_in_any_pose_are_not_sheared(geometry):
    assert not geometry.is_sheared
    assert geometry.canonical().shape == geometry.orthogonal().canonical().shape
    np.testing.assert_allclose(geometry.orthogonal().affine, geometry.affine, atol=1e-9)


@settings(deadline=None)
@given(geometries())
def test_the_orthogonal_grid_covers_all_centres_and_not_a_plane_more(geometry):
    grid = geometry.orthogonal()
    assert grid.shear < 1e-9
    assert np.linalg.det(grid.affine) * np.linalg.det(geometry.affine) > 0
    corners = np.array(list(product(*((0, size - 1) for size in geometry.shape))))
    index = corners @ geometry.index_map(grid)[:3, :3].T + geometry.index_map(grid)[:3, 3]
    np.testing.assert_allclose(index.min(axis=0), 0, atol=1e-6)
    assert (index.max(axis=0) <= np.array(grid.shape) - 1 + 1e-5).all()
    assert (index.max(axis=0) > np.array(grid.shape) - 2 - 1e-5).all()


def test_slices_of_a_tilted_gantry_stay_slices_and_their_distance_is_that_along_the_normal():
    tilt = np.radians(20)
    affine = np.diag([0.5, 0.5, 1.0, 1.0])
    affine[:3, 2] = 5 * np.array([0, np.sin(tilt), np.cos(tilt)])
    grid = Geometry((64, 64, 11), affine).orthogonal()
    np.testing.assert_allclose(grid.affine, np.diag([0.5, 0.5, 5 * np.cos(tilt), 1]), atol=1e-12)
    assert grid.shape == (64, 64 + np.ceil(10 * 5 * np.sin(tilt) / 0.5), 11)


def test_a_single_slice_keeps_its_own_plane():
    affine = made(shear=(0, 0.5, 0.5))
    grid = Geometry((30, 20, 1), affine).orthogonal()
    assert grid.shape == (30, 20, 1)
    np.testing.assert_allclose(grid.affine[:3, [0, 1, 3]], affine[:3, [0, 1, 3]], atol=1e-12)


def test_the_difference_is_that_of_the_largest_entry():
    one, other = np.eye(4), np.eye(4)
    other[1, 3] = -0.25
    assert Geometry((1, 1, 1), one).differs_by(Geometry((2, 2, 2), other)) == 0.25


def changed(row, column, value):
    affine = np.diag([-2.0, 3.0, 4.0, 1.0])
    affine[row, column] = value
    return affine


@pytest.mark.parametrize(
    ("affine", "expected"),
    [
        (changed(0, 3, np.nan), "finite numbers"),
        (changed(2, 1, np.inf), "finite numbers"),
        (changed(3, 0, 1.0), "finite numbers"),
        (changed(0, 0, 0.0), "spacing above 0"),
        (changed(1, 1, 51.0), "at most 50 mm"),
        (np.array([[1, 1, 0, 0], [1, 1.0001, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "an invertible affine"),
        (changed(1, 3, 1e30), "an origin within"),
    ],
)
def test_f07_an_affine_that_no_scanner_makes_is_refused(affine, expected):
    with pytest.raises(DataError, match=rf"a\.nrrd: expected .*{expected}"):
        check_affine(Path("a.nrrd"), affine)


@settings(deadline=None)
@given(geometries())
def test_any_plausible_affine_passes(geometry):
    check_affine(Path("a.nii"), geometry.affine)
