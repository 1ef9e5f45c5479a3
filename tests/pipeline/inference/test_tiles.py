"""Tiles cover every voxel and their weights sum to one."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.inference.tiles import (
    TileGrid,
    normalised_axis_weights,
    tile_starts,
)

overlaps = st.floats(0.0, 0.95)


@st.composite
def axes(draw):
    size = draw(st.integers(1, 60))
    return size, draw(st.integers(1, size)), draw(overlaps)


@given(axes())
def test_starts_are_flush_with_both_ends_and_leave_no_gap(axis):
    size, tile, overlap = axis
    starts = tile_starts(size, tile, overlap)
    assert starts[0] == 0
    assert starts[-1] == size - tile
    assert all(0 < after - before <= tile for before, after in itertools.pairwise(starts))


@given(axes())
def test_neighbours_share_at_least_the_overlap(axis):
    size, tile, overlap = axis
    step = max(1, int(tile * (1 - overlap)))
    assert all(b - a <= step for a, b in itertools.pairwise(tile_starts(size, tile, overlap)))


@given(axes())
def test_axis_weights_sum_to_one_at_each_voxel(axis):
    size, tile, overlap = axis
    starts = tile_starts(size, tile, overlap)
    total = np.zeros(size)
    for start, weights in zip(starts, normalised_axis_weights(size, tile, starts), strict=True):
        assert (weights > 0).all()
        total[start : start + tile] += weights
    np.testing.assert_allclose(total, 1.0, atol=1e-5)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=3, max_size=3), overlaps)
def test_tile_weights_sum_to_one_everywhere(sizes, overlap):
    shape = tuple(max(pair) for pair in sizes)
    grid = TileGrid(shape, tuple(min(pair) for pair in sizes), overlap)
    total = np.zeros(shape)
    count = 0
    for tile in grid:
        assert all(0 <= place.start < place.stop <= size for place, size in zip(tile.slices, shape, strict=True))
        assert tuple(place.stop - place.start for place in tile.slices) == grid.tile
        assert all((weights > 0).all() for weights in tile.weights)
        x, y, z = tile.weights
        total[tile.slices] += x[:, None, None] * y[:, None] * z
        count += 1
    assert count == len(grid)
    np.testing.assert_allclose(total, 1.0, atol=1e-5)


def test_the_last_axis_runs_fastest():
    grid = TileGrid((20, 9, 5), (8, 9, 2), 0.5)
    corners = [tuple(place.start for place in tile.slices) for tile in grid]
    assert corners == [(x, 0, z) for x in (0, 4, 8, 12) for z in (0, 1, 2, 3)]


def test_half_overlap_of_a_known_axis():
    assert tile_starts(20, 8, 0.5) == [0, 4, 8, 12]
    assert tile_starts(8, 8, 0.5) == [0]
    assert tile_starts(4, 1, 0.5) == [0, 1, 2, 3]


def test_weights_of_a_single_tile_are_one():
    (tile,) = TileGrid((5, 8, 1), (5, 8, 1), 0.5)
    for weights in tile.weights:
        np.testing.assert_array_equal(weights, 1.0)


def test_neighbours_are_blended_by_gaussians_of_their_distances():
    first, second = TileGrid((12, 1, 1), (8, 1, 1), 0.5)
    a, b = first.weights[0], second.weights[0]
    np.testing.assert_array_equal(a[:4], 1.0)
    np.testing.assert_allclose(a, b[::-1], rtol=1e-6)
    # The fifth voxel lies 0.5 and 3.5 voxels from the centres of the two; sigma is one voxel.
    assert a[4] / b[0] == pytest.approx(np.exp((3.5**2 - 0.5**2) / 2), rel=1e-5)


@pytest.mark.parametrize(("size", "tile", "overlap"), [(4, 5, 0.5), (4, 0, 0.5), (4, 2, 1.0), (4, 2, -0.1)])
def test_a_tile_that_does_not_fit_is_refused(size, tile, overlap):
    with pytest.raises(ValueError, match=r"fit|overlap"):
        tile_starts(size, tile, overlap)
