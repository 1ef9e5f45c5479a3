import nibabel
import numpy as np

from datamodules.phantom_grid import SUPERSAMPLING, Grid, draw_grid, fine_points


def test_grids_vary_in_order_sense_spacing_and_turn():
    grids = [draw_grid(np.random.default_rng(seed), (80, 64, 64)) for seed in range(300)]
    assert len({nibabel.aff2axcodes(grid.affine) for grid in grids}) > 40
    turns = []
    for grid in grids:
        spacing = np.linalg.norm(grid.affine[:3, :3], axis=0)
        direction = grid.affine[:3, :3] / spacing
        np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-5)
        assert spacing.min() >= 3.99
        assert spacing.max() <= 6.01
        assert spacing.max() / spacing.min() > 1.01
        rotation = direction @ _nearest_axes(direction).T
        turns.append(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))
    turns = np.array(turns)
    oblique = turns > 0.1
    assert 0.2 < oblique.mean() < 0.47
    assert turns[oblique].min() > 4.9
    assert turns[oblique].max() < 15.1


def _nearest_axes(direction):
    """Return the signed permutation that a direction was turned from; up to 15 degrees leave no doubt."""
    return np.rint(direction)


def test_the_field_of_view_is_the_same_whatever_the_shape():
    extents = []
    for shape in ((80, 64, 64), (40, 32, 16)):
        grid = draw_grid(np.random.default_rng(7), shape)
        extents.append(np.sort(np.linalg.norm(grid.affine[:3, :3], axis=0) * grid.shape))
    np.testing.assert_allclose(extents[0], extents[1], rtol=0.06)  # whole voxels


def test_fine_points_lie_evenly_within_their_voxels():
    affine = draw_grid(np.random.default_rng(1), (80, 64, 64)).affine
    grid = Grid((4, 3, 2), affine)
    s = SUPERSAMPLING
    points = np.stack(fine_points(grid, slice(1, 3), np.zeros(3)), axis=-1)
    assert points.shape == (2 * s, 3 * s, 2 * s, 3)
    means = points.reshape(2, s, 3, s, 2, s, 3).mean(axis=(1, 3, 5))
    voxels = np.stack(np.meshgrid([1, 2], range(3), range(2), indexing="ij"), axis=-1)
    np.testing.assert_allclose(means, voxels @ affine[:3, :3].T + affine[:3, 3], atol=1e-3)
