"""Arrays of voxels: views in another axis order or inside a box; the geometry that goes with them is a type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.geometry import Box, Shape, canonical_axes
from datamodules.formats.volume import Volume


def to_canonical(volume: Volume) -> Volume:
    """Turn a volume to the axis order and directions closest to RAS, without interpolation.

    Args:
        volume: Any orientation; oblique affines keep their angle.

    Returns:
        A volume whose array is a view [C, X, Y, Z] of the same voxels, with the affine that keeps each of
        them in its place.
    """
    return Volume(canonical_array(volume.array, volume.affine), volume.geometry.canonical().affine, volume.path)


def canonical_array(array: NDArray[Any], affine: NDArray[np.float64]) -> NDArray[Any]:
    """Return the view of [..., X, Y, Z] in canonical orientation."""
    axes = canonical_axes(affine)
    leading = array.ndim - 3
    array = array.transpose(*range(leading), *(leading + axis for axis, _ in axes))
    return np.flip(array, tuple(leading + target for target in range(3) if axes[target][1]))


def from_canonical(array: NDArray[Any], source_affine: NDArray[np.float64]) -> NDArray[Any]:
    """Undo `canonical_array` for an array [..., X, Y, Z], exactly.

    Args:
        array: Voxels in canonical orientation, with any leading axes.
        source_affine: The affine before `to_canonical`.

    Returns:
        A view in the source's orientation.
    """
    axes = canonical_axes(source_affine)
    leading = array.ndim - 3
    array = np.flip(array, tuple(leading + target for target in range(3) if axes[target][1]))
    return array.transpose(*range(leading), *(leading + int(target) for target in np.argsort([a for a, _ in axes])))


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
