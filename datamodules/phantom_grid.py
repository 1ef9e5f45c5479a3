"""Where a phantom is sampled: any order and sense of the axes, turned, with its own spacing and origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SUPERSAMPLING = 2  # points per voxel and axis: the mean of 8 is the partial volume
SPACING_MM = ((4.2, 4.9), (4.0, 4.6), (5.0, 6.0))  # ranges along right, anterior and superior
OBLIQUE_DEG = (5.0, 15.0)
Affine = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Hold where a case is sampled: its shape as stored and its affine to RAS+ mm."""

    shape: tuple[int, int, int]
    affine: Affine


def draw_grid(rng: np.random.Generator, shape: tuple[int, int, int]) -> Grid:
    """Draw a case's sampling: size, spacing, order and sense of the axes, a turn and an origin.

    The axes run along the body's in any of the 48 orders and senses; a third of the cases is oblique too.
    """
    size = np.rint(np.array(shape) * rng.uniform(0.95, 1.07, 3)).astype(int)
    spacing = np.array([rng.uniform(low, high) for low, high in SPACING_MM])
    spacing *= np.array((80, 64, 64)) / np.array(shape)  # the field of view holds whatever the shape
    order = rng.permutation(3)
    sense = rng.choice([-1.0, 1.0], 3)
    direction = np.zeros((3, 3))
    direction[order, np.arange(3)] = sense  # stored axis i runs along body axis order[i]
    if rng.random() < 1 / 3:
        direction = _turn(rng) @ direction
    stored = tuple(int(size[axis]) for axis in order)
    affine = np.eye(4)
    affine[:3, :3] = direction * spacing[order]
    middle = rng.uniform(-40, 40, 3)
    affine[:3, 3] = middle - affine[:3, :3] @ (np.array(stored) - 1) / 2
    # NIfTI keeps the affine in 32 bits: what is sampled is then what is stored.
    return Grid((stored[0], stored[1], stored[2]), affine.astype(np.float32).astype(np.float64))


def _turn(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw a rotation of 5 to 15 degrees about an axis of any direction (Rodrigues' formula)."""
    axis = rng.standard_normal(3)
    x, y, z = axis / np.linalg.norm(axis)
    angle = np.deg2rad(rng.uniform(*OBLIQUE_DEG))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def fine_points(grid: Grid, slab: slice, centre: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float32]]:
    """Return the coordinates in mm from the body's centre of the points within a slab's voxels."""
    extents = ((slab.start, slab.stop), (0, grid.shape[1]), (0, grid.shape[2]))
    axes = [((np.arange(a * SUPERSAMPLING, b * SUPERSAMPLING) + 0.5) / SUPERSAMPLING - 0.5) for a, b in extents]
    i, j, k = np.ix_(*axes)
    points = []
    for row, origin in zip(grid.affine[:3], grid.affine[:3, 3] - centre, strict=True):
        points.append((row[0] * i + row[1] * j + row[2] * k + origin).astype(np.float32))
    return points
