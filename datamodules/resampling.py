"""Resampling between grids that share their outer edges: linear and cubic, and labels class by class."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.formats.errors import DataError
from datamodules.formats.geometry import Shape

Mode = Literal["linear", "cubic"]
MEMORY_BOUND_BYTES = 16 * 2**30
SLAB_VOXELS = 2**20  # 4 MiB of float32; smaller slabs spend their time on waking threads, larger ones leave the cache
_KEYS = -0.5  # the cubic that reproduces quadratics (Keys 1981, "Cubic convolution interpolation")


def output_shape(shape: Shape, spacing_mm: Sequence[float], target_spacing_mm: Sequence[float]) -> Shape:
    """Return the number of voxels that keeps the extent at another spacing.

    Args:
        shape: Voxels (X, Y, Z); an axis of one voxel stays as it is.
        spacing_mm: Their spacing.
        target_spacing_mm: The spacing wanted, met up to the rounding to whole voxels.
    """
    x, y, z = (
        size if size == 1 else max(1, round(size * old / new))
        for size, old, new in zip(shape, spacing_mm, target_spacing_mm, strict=True)
    )
    return x, y, z


def check_memory(
    path: Path,
    channels: int,
    shape: Shape,
    new_shape: Shape,
    *,
    masks: int = 0,
    bound_bytes: int = MEMORY_BOUND_BYTES,
) -> None:
    """Forecast what resampling [C, X, Y, Z] takes, before any of it is allocated.

    Args:
        path: What an error shall name.
        channels: Channels of the image, of 4 bytes.
        shape: Voxels (X, Y, Z).
        new_shape: Voxels wanted.
        masks: Label volumes of one byte that are resampled as well.
        bound_bytes: What is allowed.

    Raises:
        DataError: The forecast is over the bound.
    """
    # an intermediate has at most the larger size of every axis, and its source is held beside it
    largest = math.prod(max(old, new) for old, new in zip(shape, new_shape, strict=True))
    forecast = 2 * (4 * channels + masks) * largest
    if forecast > bound_bytes:
        found = f"{shape} to {new_shape}, which takes {forecast / 2**30:.1f} GiB"
        expected = f"resampling within {bound_bytes / 2**30:.1f} GiB"
        raise DataError(path, expected, found, "choose a coarser target spacing or mend the spacing in the header")


def resample(array: Tensor, shape: Shape, mode: Mode = "linear") -> Tensor:
    """Resample a volume to another number of voxels over the same extent.

    Voxel edges are aligned (`align_corners=False`), values beyond the edge repeat the edge, and nothing is
    smoothed beforehand.

    Args:
        array: Voxels [C, X, Y, Z].
        shape: Voxels (X, Y, Z) wanted.
        mode: "linear" or "cubic".

    Returns:
        float32 voxels [C, *shape]; the input itself, to the bit, when the shape stays.
    """
    array = array.to(torch.float32)
    # the axes that shrink most go first, so that the others have less to do
    for axis in sorted(range(3), key=lambda axis: shape[axis] / array.shape[axis + 1]):
        if array.shape[axis + 1] != shape[axis]:
            array = _along(array, interpolation_matrix(array.shape[axis + 1], shape[axis], mode), axis)
    return array


def interpolation_matrix(size: int, new_size: int, mode: Mode) -> Tensor:
    """Return the matrix [new_size, size] that interpolates along one axis, edge to edge."""
    position = (torch.arange(new_size, dtype=torch.float64) + 0.5) * (size / new_size) - 0.5
    taps = range(2) if mode == "linear" else range(-1, 3)
    matrix = torch.zeros(new_size, size, dtype=torch.float64)
    for tap in taps:
        index = position.floor().long() + tap
        distance = (position - index).abs()
        weight = 1 - distance if mode == "linear" else _cubic_weight(distance)
        # taps beyond the edge fall on the edge voxel, where their weights add up
        matrix.index_put_((torch.arange(new_size), index.clamp(0, size - 1)), weight, accumulate=True)
    return matrix.to(torch.float32)


class Resampler(Protocol):
    """Resample linearly a few planes at a time, so that nothing of the new size is ever held whole."""

    new_shape: Shape

    def slabs(self) -> Iterator[tuple[slice, slice]]:
        """Yield ranges of new planes along X, each with the range of source planes that it needs."""
        ...

    def __call__(self, planes: Tensor, target: slice, source: slice, outside: float | None = None) -> Tensor:
        """Return the new planes [x', Y', Z'] of a slab from its source planes [x, Y, Z].

        Args:
            planes: The source planes.
            target: The new planes, as `slabs` has given them.
            source: The source planes, likewise.
            outside: The value of what lies outside of all source voxels; None repeats the nearest voxel.
        """
        ...


class SlabResampler:
    """Resample between grids of one extent; none of their voxels lies outside of the other.

    Args:
        shape: Voxels (X, Y, Z) of the source.
        new_shape: Voxels (X, Y, Z) wanted.
    """

    def __init__(self, shape: Shape, new_shape: Shape) -> None:
        self.new_shape = new_shape
        self._matrices = [
            None if old == new else interpolation_matrix(old, new, "linear")
            for old, new in zip(shape, new_shape, strict=True)
        ]

    @property
    def changes_nothing(self) -> bool:
        """Tell whether both grids are the same."""
        return all(matrix is None for matrix in self._matrices)

    def slabs(self) -> Iterator[tuple[slice, slice]]:
        """Yield ranges of new planes along X, each with the range of source planes that it needs."""
        planes = max(1, SLAB_VOXELS // (self.new_shape[1] * self.new_shape[2]))
        for start in range(0, self.new_shape[0], planes):
            target = slice(start, min(start + planes, self.new_shape[0]))
            if self._matrices[0] is None:
                yield target, target
            else:
                needed = self._matrices[0][target].any(dim=0).nonzero()
                yield target, slice(int(needed[0]), int(needed[-1]) + 1)

    def __call__(self, planes: Tensor, target: slice, source: slice, outside: float | None = None) -> Tensor:
        """Return the new planes [x', Y', Z'] of a slab from its source planes [x, Y, Z]; nothing is outside."""
        values = planes.detach().to("cpu", torch.float32)[None]
        along_x, *others = self._matrices
        matrices = [None if along_x is None else along_x[target, source], *others]
        for axis, matrix in enumerate(matrices):
            if matrix is not None:
                values = _along(values, matrix, axis)
        return values[0]


def resample_labels(labels: NDArray[Any], resampler: Resampler, values: Sequence[int]) -> NDArray[Any]:
    """Resample a label volume by linear interpolation of each value's mask; the largest share wins.

    Args:
        labels: Integers [X, Y, Z], all of them among `values`.
        resampler: From their grid to the one wanted.
        values: The declared values; the earlier one wins a tie, and the first one fills what lies outside.

    Returns:
        Labels of the new shape and the same type. Memory does not grow with the number of values.

    Raises:
        ValueError: A voxel holds another value.
    """
    undeclared = labels.size - np.count_nonzero(np.isin(labels, values))
    if undeclared:
        raise ValueError(f"{undeclared} voxels hold a label that is not among {list(values)}")
    if isinstance(resampler, SlabResampler) and resampler.changes_nothing:
        return labels
    winner = np.full(resampler.new_shape, values[0], dtype=labels.dtype)
    for target, source in resampler.slabs():
        best = torch.zeros(winner[target].shape)
        for index, value in enumerate(values):
            mask = labels[source] == value
            if mask.any():  # most values are absent from most slabs
                share = resampler(torch.from_numpy(mask), target, source, outside=float(index == 0))
                np.copyto(winner[target], value, where=(share > best).numpy())
                torch.maximum(best, share, out=best)
    return winner


def _cubic_weight(distance: Tensor) -> Tensor:
    """Return the kernel of cubic convolution at distances of 0 to 2 voxels."""
    near = ((_KEYS + 2) * distance - (_KEYS + 3)) * distance**2 + 1
    far = _KEYS * (((distance - 5) * distance + 8) * distance - 4)
    return torch.where(distance <= 1, near, far)


def _along(array: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Multiply the matrix onto one spatial axis of [C, X, Y, Z]."""
    if axis == 2:
        return array @ matrix.T
    if axis == 1:
        return torch.matmul(matrix, array)
    channels, _, y, z = array.shape
    return torch.matmul(matrix, array.reshape(channels, -1, y * z)).view(channels, -1, y, z)
