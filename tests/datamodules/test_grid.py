import json
from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats.geometry import Geometry
from datamodules.geometry import canonical_array, crop
from datamodules.grid import Grid
from datamodules.resampling import resample


@st.composite
def grids(draw, same_spacing=False):
    """Draw a source of any shape and orientation, a box in it, and a prepared shape."""
    source_shape = draw(st.tuples(*[st.integers(1, 9)] * 3))
    order, signs = draw(st.sampled_from(list(product(permutations(range(3)), product((1, -1), repeat=3)))))
    affine = np.zeros((4, 4))
    for axis in range(3):
        affine[order[axis], axis] = signs[axis] * (1, 2, 3)[axis]
    affine[:, 3] = (5, 6, 7, 1)
    source = Geometry(source_shape, affine)
    box = []
    for size in source.canonical().shape:
        start = draw(st.integers(0, size - 1))
        box.append((start, draw(st.integers(start + 1, size))))
    box_shape = tuple(stop - start for start, stop in box)
    shape = box_shape if same_spacing else draw(st.tuples(*[st.integers(1, 11)] * 3))
    return Grid(source, tuple(box), source.canonical().cropped(tuple(box)).resampled(shape))


@settings(deadline=None)
@given(grids(), st.integers(1, 4), st.booleans())
def test_restored_labels_have_exactly_the_source_shape(grid, classes, overlapping):
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(classes, *grid.shape)).astype(np.float32))
    labels = grid.restore_labels(scores, overlapping)
    assert labels.shape == ((classes, *grid.source_shape) if overlapping else grid.source_shape)
    assert labels.dtype == np.uint8
    assert labels.flags.c_contiguous
    box = tuple(stop - start for start, stop in grid.box)
    on_box = resample(scores, box)
    expected = (on_box > 0).numpy() if overlapping else on_box.argmax(dim=0).numpy()
    turned = canonical_array(labels, grid.source_affine)
    np.testing.assert_array_equal(crop(turned, grid.box), expected)
    assert turned.sum() == expected.sum()  # outside the crop all is 0


@settings(deadline=None)
@given(grids(same_spacing=True), st.integers(0, 100))
def test_labels_come_back_exactly_where_nothing_is_resampled(grid, seed):
    truth = np.zeros(grid.source.canonical().shape, dtype=np.uint8)
    inside = np.random.default_rng(seed).integers(0, 5, grid.shape).astype(np.uint8)
    crop(truth, grid.box)[...] = inside
    scores = torch.nn.functional.one_hot(torch.from_numpy(inside).long(), 5).movedim(-1, 0)
    found = canonical_array(grid.restore_labels(scores), grid.source_affine)
    np.testing.assert_array_equal(found, truth)


@settings(deadline=None)
@given(grids(), st.booleans())
def test_restored_probabilities_sum_to_one_and_agree_with_the_labels(grid, overlapping):
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(3, *grid.shape)).astype(np.float32))
    probabilities = scores.sigmoid() if overlapping else scores.softmax(dim=0)
    restored = grid.restore_scores(probabilities, overlapping)
    assert restored.shape == (3, *grid.source_shape)
    assert restored.dtype == np.float32
    if overlapping:
        assert (canonical_array(restored, grid.source_affine) > 0).sum() == 3 * np.prod(
            [stop - start for start, stop in grid.box]
        )
    else:
        np.testing.assert_allclose(restored.sum(axis=0), 1, atol=1e-5)
        np.testing.assert_array_equal(restored.argmax(axis=0), grid.restore_labels(probabilities))


def plain_grid(shape=(4, 5, 6)):
    return Grid(Geometry(shape, np.eye(4)), tuple((0, size) for size in shape), Geometry(shape, np.eye(4)))


def test_many_classes_need_sixteen_bits():
    scores = torch.zeros(300, 1, 1, 2)
    scores[299, 0, 0, 1] = 1
    labels = plain_grid((1, 1, 2)).restore_labels(scores)
    assert labels.dtype == np.uint16
    assert labels.ravel().tolist() == [0, 299]


def test_half_precision_and_gradients_are_no_obstacle():
    scores = torch.randn(2, 4, 5, 6, dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(plain_grid().restore_labels(scores), scores.detach().float().argmax(dim=0).numpy())


def test_scores_of_another_grid_are_refused():
    for shape in ((2, 4, 5, 7), (4, 5, 6)):
        with pytest.raises(ValueError, match=r"scores are \[K, 4, 5, 6\]"):
            plain_grid().restore_labels(torch.zeros(shape))
    with pytest.raises(ValueError, match="scores are"):
        plain_grid().restore_scores(torch.zeros(1, 1, 1, 1))


@settings(deadline=None)
@given(grids())
def test_comes_back_through_json_to_the_bit(grid):
    back = Grid.from_dict(json.loads(json.dumps(grid.to_dict())))
    assert (back.source_shape, back.box, back.shape) == (grid.source_shape, grid.box, grid.shape)
    np.testing.assert_array_equal(back.source_affine, grid.source_affine)
    np.testing.assert_array_equal(back.affine, grid.affine)


@settings(deadline=None)
@given(grids())
def test_all_steps_are_one_affine_that_inverts(grid):
    np.testing.assert_allclose(grid.to_source @ grid.source.index_map(grid.prepared), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(grid.source_affine @ grid.to_source, grid.affine, atol=1e-9)
    # the middle of the prepared grid is the middle of the box
    middle = grid.affine @ [*((np.array(grid.shape) - 1) / 2), 1]
    of_box = [(start + stop - 1) / 2 for start, stop in grid.box]
    np.testing.assert_allclose(middle, grid.source.canonical().affine @ [*of_box, 1], atol=1e-9)


def test_a_grid_of_the_first_cache_format_is_read():
    stored = {
        "source_shape": [4, 5, 6],
        "source_affine": np.diag([-1.0, 1, 2, 1]).tolist(),
        "box": [[0, 4], [1, 5], [0, 6]],
        "shape": [2, 4, 6],
        "affine": [[2.0, 0, 0, -2.5], [0, 1, 0, 1], [0, 0, 2, 0], [0, 0, 0, 1]],
    }
    grid = Grid.from_dict(stored)
    assert grid.to_dict() == stored
    assert grid.restore_labels(torch.zeros(2, 2, 4, 6)).shape == (4, 5, 6)


def sheared_grid():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 0.8
    source = Geometry((6, 9, 7), affine)
    return Grid(source, ((0, 6), (2, 8), (0, 7)), source.cropped(((0, 6), (2, 8), (0, 7))).orthogonal())


@pytest.mark.parametrize("overlapping", [True, False])
def test_f05_scores_come_back_onto_the_sheared_grid(overlapping):
    grid = sheared_grid()
    index = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    depth = torch.from_numpy((index @ grid.affine[:3, :3].T + grid.affine[:3, 3]) @ [0.3, 1.0, 0.2])
    restored = grid.restore_scores(torch.stack([depth, -depth]), overlapping)
    index = np.stack(np.meshgrid(*(np.arange(size) for size in grid.source_shape), indexing="ij"), axis=-1)
    expected = (index @ grid.source_affine[:3, :3].T + grid.source_affine[:3, 3]) @ [0.3, 1.0, 0.2]
    np.testing.assert_allclose(restored[0][:, 2:8], expected[:, 2:8], atol=1e-5)
    assert (restored[:, :, :2] == [[[[0.0 if overlapping else 1.0]]], [[[0.0]]]]).all()
    labels = grid.restore_labels(torch.stack([4.05 - depth, depth - 4.05]), overlapping)
    present = labels[1] if overlapping else labels
    np.testing.assert_array_equal(present[:, 2:8], expected[:, 2:8] > 4.05)
    assert present[:, :2].sum() == present[:, 8:].sum() == 0


def test_f05_a_sheared_volume_that_becomes_a_single_plane_is_read_where_that_plane_lies():
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    affine[1, 2] = 2.0
    source = Geometry((24, 24, 3), affine)
    straight = source.orthogonal()
    prepared = straight.resampled((*straight.shape[:2], 1))
    assert prepared.shape == (24, 28, 1)
    grid = Grid(source, ((0, 24), (0, 24), (0, 3)), prepared)
    height = torch.arange(24.0)[None, :, None].expand(24, 24, 3).contiguous()  # mm along Y in the first slice
    slab = grid.preparing()
    found = torch.cat([slab(height[planes], target, planes, -1.0) for target, planes in slab.slabs()])
    # the plane cuts the middle slice, which starts 2 mm further along Y
    expected = torch.cat([torch.full((2,), -1.0), torch.arange(24.0), torch.full((2,), -1.0)])
    torch.testing.assert_close(found[0, :, 0], expected, atol=1e-4, rtol=0)
    behind = torch.arange(28.0) - 8.5
    labels = grid.restore_labels(torch.stack([-behind, behind])[:, None, :, None].expand(2, 24, 28, 1))
    assert [int(labels[0, :, k].argmax()) for k in range(3)] == [9, 7, 5]
