"""Linear resampling between grids that are turned or sheared against each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from datamodules.formats.geometry import Affine, Shape
from datamodules.resampling import SLAB_VOXELS

_EDGE_SLACK = 1e-6  # voxels; a position on the outer edge is inside in spite of rounding


class AffineResampler:
    """Resample linearly by any affine, a few planes at a time.

    Positions beyond the outermost centres take the value of the nearest voxel, as `SlabResampler` does.

    Args:
        to_source: Matrix [4, 4] from the new grid's indices to the source's.
        shape: Voxels (X, Y, Z) of the source.
        new_shape: Voxels (X, Y, Z) wanted.
    """

    def __init__(self, to_source: Affine, shape: Shape, new_shape: Shape) -> None:
        self.new_shape = new_shape
        self._shape, self._matrix = shape, to_source

    def slabs(self) -> Iterator[tuple[slice, slice]]:
        """Yield ranges of new planes along X, each with the range of source planes that it needs."""
        planes = max(1, SLAB_VOXELS // (self.new_shape[1] * self.new_shape[2]))
        size = self._shape[0]
        for start in range(0, self.new_shape[0], planes):
            target = slice(start, min(start + planes, self.new_shape[0]))
            reach = [np.array([low, high]) for low, high in zip((start, 0, 0), self._last(target), strict=True)]
            position = self._position(0, reach)
            first = min(max(int(np.floor(position.min() - _EDGE_SLACK)), 0), size - 1)
            last = min(max(int(np.ceil(position.max() + _EDGE_SLACK)), 0), size - 1)
            yield target, slice(first, last + 1)

    def __call__(self, planes: Tensor, target: slice, source: slice, outside: float | None = None) -> Tensor:
        """Return the new planes [x', Y', Z'] of a slab from its source planes [x, Y, Z].

        Args:
            planes: The source planes.
            target: The new planes, as `slabs` has given them.
            source: The source planes, likewise.
            outside: The value of what lies outside of all source voxels; None repeats the nearest voxel.
        """
        matrix = self._matrix.copy()
        matrix[:3, 3] += self._matrix[:3, 0] * target.start
        matrix[0, 3] -= source.start
        shape = (target.stop - target.start, *self.new_shape[1:])
        values = planes.detach().to("cpu", torch.float32).numpy()
        found = ndimage.affine_transform(values, matrix, output_shape=shape, order=1, mode="nearest")
        if outside is not None:
            found[~self._inside(target)] = outside
        return torch.from_numpy(found)

    def whole(self, values: Tensor, outside: float) -> Tensor:
        """Return all new planes [X', Y', Z'] at once, with `outside` where there is no source voxel."""
        found = torch.empty(self.new_shape)
        for target, source in self.slabs():
            found[target] = self(values[source], target, source, outside)
        return found

    def _last(self, target: slice) -> Shape:
        """Return the last index along each axis of a slab."""
        return target.stop - 1, self.new_shape[1] - 1, self.new_shape[2] - 1

    def _inside(self, target: slice) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Tell for each voxel of a slab [x', Y', Z'] whether its centre lies in a voxel of the source."""
        indices = [np.arange(target.start, target.stop), *(np.arange(size) for size in self.new_shape[1:])]
        inside = np.ones([len(index) for index in indices], dtype=bool)
        for axis, size in enumerate(self._shape):
            position = self._position(axis, indices)
            inside &= (position > -0.5 - _EDGE_SLACK) & (position < size - 0.5 + _EDGE_SLACK)
        return inside

    def _position(self, axis: int, indices: list[np.ndarray[tuple[int], np.dtype[np.int64]]]) -> Affine:
        """Return the source index along one axis for all combinations of new indices along X, Y and Z."""
        x, y, z = (factor * index for factor, index in zip(self._matrix[axis, :3], indices, strict=True))
        position: Affine = x[:, None, None] + y[None, :, None] + z[None, None, :] + self._matrix[axis, 3]
        return position
