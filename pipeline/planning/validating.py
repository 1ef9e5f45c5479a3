"""How long the last validation will take: tiles of all validation cases, mirrored copies included."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pipeline.inference.tiles import tile_starts

_OVERLAP = 0.5  # as `predict` has it
_FORWARD = 1 / 3  # of a training step: the way back costs twice the way there
_CASE_S = 1.0  # reading, writing, scores
_VOXEL_S = 3e-8  # the same, and blending, by voxel


def tiles_of(shape: Sequence[int], patch: Sequence[int]) -> int:
    """Return how many tiles cover a volume; a patch of two axes covers each slice by itself."""
    outer = (*patch, *(1,) * (len(shape) - len(patch)))
    return math.prod(
        len(tile_starts(max(size, tile), tile, _OVERLAP if axis < len(patch) else 0.0))
        for axis, (size, tile) in enumerate(zip(shape, outer, strict=True))
    )


def validation_s(
    shapes: Iterable[Sequence[int]], patch: Sequence[int], mirrored: int, step_s: float, batch: int
) -> float:
    """Return the seconds that whole cases take.

    Args:
        shapes: Of the cases on the network's grid.
        patch: The tile.
        mirrored: Axes along which mirrored copies are averaged.
        step_s: Of a training step, which goes forward and back.
        batch: Its patches.
    """
    tile_s = 2**mirrored * step_s * _FORWARD / batch
    return math.fsum(tiles_of(shape, patch) * tile_s + _CASE_S + _VOXEL_S * math.prod(shape) for shape in shapes)
