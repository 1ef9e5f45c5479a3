"""Axis orders, crop boxes and affines: exact bookkeeping between voxel grids."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from datamodules.formats.volume import Volume

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # start and stop along X, Y and Z
Shape = tuple[int, int, int]


def to_canonical(volume: Volume) -> Volume:
    """Turn a volume to the axis order and directions closest to RAS, without interpolation.

    Args:
        volume: Any orientation; oblique affines keep their angle.

    Returns:
        A volume whose array is a view [C, X, Y, Z] of the same voxels, with the affine that keeps each of
        them in its place.
    """
    array = canonical_array(volume.array, volume.affine)
    return Volume(array, canonical_affine(volume.affine, volume.shape), volume.path)


def canonical_array(array: NDArray[Any], affine: NDArray[np.float64]) -> NDArray[Any]:
    """Return the view of [..., X, Y, Z] in canonical orientation."""
    axes, flips = _axes(affine)
    leading = array.ndim - 3
    array = array.transpose(*range(leading), *(leading + axis for axis in axes))
    return np.flip(array, tuple(leading + axis for axis in range(3) if flips[axis]))


def from_canonical(array: NDArray[Any], source_affine: NDArray[np.float64]) -> NDArray[Any]:
    """Undo `canonical_array` for an array [..., X, Y, Z], exactly.

    Args:
        array: Voxels in canonical orientation, with any leading axes.
        source_affine: The affine before `to_canonical`.

    Returns:
        A view in the source's orientation.
    """
    axes, flips = _axes(source_affine)
    leading = array.ndim - 3
    array = np.flip(array, tuple(leading + axis for axis in range(3) if flips[axis]))
    return array.transpose(*range(leading), *(leading + int(axis) for axis in np.argsort(axes)))


def canonical_shape(affine: NDArray[np.float64], shape: Shape) -> Shape:
    """Return the shape that `to_canonical` gives."""
    x, y, z = (shape[axis] for axis in _axes(affine)[0])
    return x, y, z


def canonical_affine(affine: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    """Return the affine that `to_canonical` gives for a volume of this affine and shape."""
    axes, flips = _axes(affine)
    to_source = np.zeros((4, 4))
    to_source[3, 3] = 1
    for canonical, source in enumerate(axes):
        to_source[source, canonical] = -1 if flips[canonical] else 1
        to_source[source, 3] = shape[source] - 1 if flips[canonical] else 0
    return affine @ to_source


def bounding_box(mask: NDArray[np.bool_], margin: int = 0) -> Box | None:
    """Return the smallest box around the true voxels of [X, Y, Z], grown by a margin within the array.

    Args:
        mask: True where something is.
        margin: Voxels added on each side.

    Returns:
        Start and stop per axis, or None when nothing is true.
    """
    limits = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        if found.size == 0:
            return None
        limits.append((max(int(found[0]) - margin, 0), min(int(found[-1]) + 1 + margin, mask.shape[axis])))
    x, y, z = limits
    return x, y, z


def box_shape(box: Box) -> Shape:
    """Return the number of voxels of a box along each axis."""
    x, y, z = (stop - start for start, stop in box)
    return x, y, z


def crop(array: NDArray[Any], box: Box) -> NDArray[Any]:
    """Return the view of [..., X, Y, Z] inside the box."""
    x, y, z = (slice(start, stop) for start, stop in box)
    return array[..., x, y, z]


def cropped_affine(affine: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """Return the affine of a grid cut down to the box."""
    return affine @ _matrix(np.ones(3), np.array([start for start, _ in box], dtype=np.float64))


def resampled_affine(affine: NDArray[np.float64], shape: Shape, new_shape: Shape) -> NDArray[np.float64]:
    """Return the affine of a grid with another number of voxels over the same extent, edge to edge.

    Args:
        affine: The affine of the grid of `shape`.
        shape: Voxels (X, Y, Z) before.
        new_shape: Voxels (X, Y, Z) after.
    """
    scale = np.array(shape, dtype=np.float64) / np.array(new_shape)
    # the outer edges stay: the first new centre lies half a new voxel inside the edge at index -0.5
    return affine @ _matrix(scale, (scale - 1) / 2)


def _axes(affine: NDArray[np.float64]) -> tuple[list[int], list[bool]]:
    """Return for each canonical axis the source axis it is made of, and whether that is flipped."""
    orientation = nib.orientations.io_orientation(affine)  # per source axis: canonical axis, direction
    order = np.argsort(orientation[:, 0])
    return [int(axis) for axis in order], [bool(orientation[axis, 1] < 0) for axis in order]


def _matrix(scale: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 4 x 4 matrix that scales voxel indices and then shifts them."""
    matrix = np.diag([*scale, 1.0])
    matrix[:3, 3] = shift
    return matrix
