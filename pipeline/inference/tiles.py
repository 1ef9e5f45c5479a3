"""Where tiles lie in a volume, and the weights that blend them."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GAUSSIAN_SIGMA = 0.125  # of the tile's length (nnU-Net, Isensee et al. 2021, Supplementary Note 4)


def tile_starts(size: int, tile: int, overlap: float) -> list[int]:
    """Return the first index of each tile along one axis, evenly spread and flush with both ends.

    Args:
        size: Voxels along the axis, at least `tile`.
        tile: Voxels of a tile along the axis.
        overlap: Share of a tile that it has in common with its neighbour at least, in [0, 1).

    Raises:
        ValueError: If the tile is empty or longer than the axis, or the overlap is not in [0, 1).
    """
    if not 1 <= tile <= size:
        raise ValueError(f"a tile of {tile} voxels does not fit an axis of {size}: pad the volume first")
    if not 0.0 <= overlap < 1.0:
        raise ValueError(f"overlap is a share of the tile in [0, 1), found {overlap}")
    step = max(1, math.floor(tile * (1.0 - overlap)))
    count = math.ceil((size - tile) / step) + 1
    return [round(index * (size - tile) / max(1, count - 1)) for index in range(count)]


def _gaussian(length: int) -> NDArray[np.float64]:
    """Return the weights [length] of a tile along one axis."""
    distance = np.arange(length) - (length - 1) / 2.0
    weights: NDArray[np.float64] = np.exp(-0.5 * (distance / (GAUSSIAN_SIGMA * length)) ** 2)
    weights /= weights.max()  # an even tile has no voxel at its centre
    return weights


def normalised_axis_weights(size: int, tile: int, starts: Sequence[int]) -> NDArray[np.float32]:
    """Return Gaussian weights [len(starts), tile] that sum to one at each voxel of the axis."""
    gaussian = _gaussian(tile)
    total = np.zeros(size)
    for start in starts:
        total[start : start + tile] += gaussian
    return np.stack([gaussian / total[start : start + tile] for start in starts]).astype(np.float32)


@dataclass(frozen=True)
class Tile:
    """One tile: its voxels in the volume, and its weights along each axis."""

    slices: tuple[slice, ...]
    weights: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class TileGrid:
    """The tiles of a volume.

    Tiles lie on a product of axes and the Gaussian is separable, hence the weights are divided by their
    sum once per axis: no map of weights as large as the volume is held, and nothing is divided at the end.
    """

    shape: tuple[int, ...]
    tile: tuple[int, ...]
    overlap: float

    def __len__(self) -> int:
        return math.prod(len(tile_starts(*axis, self.overlap)) for axis in zip(self.shape, self.tile, strict=True))

    def __iter__(self) -> Iterator[Tile]:
        axes = []
        for size, length in zip(self.shape, self.tile, strict=True):
            starts = tile_starts(size, length, self.overlap)
            weights = normalised_axis_weights(size, length, starts)
            axes.append([(slice(start, start + length), row) for start, row in zip(starts, weights, strict=True)])
        for corner in itertools.product(*axes):
            yield Tile(tuple(place for place, _ in corner), tuple(row for _, row in corner))
