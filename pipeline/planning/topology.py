"""Patch, steps and kernels of a U-Net: which axes are halved how often."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_EDGE = 4  # voxels of the coarsest level; an axis is halved while this much is left
_ALIKE = 2.0  # spacings within this factor of the finest count as equal


@dataclass(frozen=True)
class Topology:
    """The geometry of a U-Net and its patch.

    Args:
        patch: Voxels, divisible by all steps.
        strides: Step into each level by axis, the first being 1.
        kernels: Kernel of each level by axis.
    """

    patch: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]

    @property
    def levels(self) -> int:
        """Return the number of levels."""
        return len(self.strides)

    @property
    def coarsest(self) -> tuple[int, ...]:
        """Return the voxels of the coarsest level."""
        steps = (math.prod(step) for step in zip(*self.strides, strict=True))
        return tuple(size // step for size, step in zip(self.patch, steps, strict=True))


def plan_topology(shape: Sequence[int], spacing_mm: Sequence[float], scale: float = 1.0) -> Topology:
    """Return a patch in the aspect of a shape, and the levels that go with it.

    An axis is halved while at least twice `LEAST_EDGE` voxels are left and its spacing is within two times of the
    finest one's. Its kernel is 1 while it is coarser than that, then 3.

    Args:
        shape: Median shape of the cases on the network's grid; an axis of one voxel stays one.
        spacing_mm: Distance of its voxels.
        scale: Part of the shape's edges that the patch has. At 1 the patch holds the whole shape. An axis that would
            fall under twice `LEAST_EDGE` stays there, or whole where it has no more, and the others give way for it.

    Source: Isensee et al. 2021, nnU-Net, supplementary note 2.
    """
    wanted = _shrunk(shape, scale)
    if max(wanted) < 2 * LEAST_EDGE:
        # A U-Net has two levels at least: what is smaller is padded.
        wanted = [float(2 * LEAST_EDGE) if size > 1 else 1.0 for size in shape]
    sizes = [math.ceil(size) for size in wanted]
    seen: set[tuple[int, ...]] = set()
    while tuple(sizes) not in seen:
        seen.add(tuple(sizes))
        strides, _ = _levels(sizes, spacing_mm)
        steps = [math.prod(step) for step in zip(*strides, strict=True)]
        # Whole volumes are padded; parts of them may as well be a little smaller.
        shift = 1.0 if scale >= 1.0 else 0.5
        sizes = [max(1, _below(size / step + shift)) * step for size, step in zip(wanted, steps, strict=True)]
    strides, kernels = _levels(sizes, spacing_mm)
    steps = [math.prod(step) for step in zip(*strides, strict=True)]
    patch = tuple(math.ceil(size / step) * step for size, step in zip(sizes, steps, strict=True))
    return Topology(patch, strides, kernels)


def _shrunk(shape: Sequence[int], scale: float) -> list[float]:
    """Return the edges of a part of a shape: alike to it, but no axis is thinned beyond what two levels need."""
    least = [float(min(size, 2 * LEAST_EDGE)) for size in shape]
    voxels = math.prod(shape) * scale ** sum(size > 1 for size in shape)
    held: set[int] = set()
    while True:
        free = [axis for axis in range(len(shape)) if axis not in held]
        left = voxels / math.prod(least[axis] for axis in held)
        part = (left / math.prod(shape[axis] for axis in free)) ** (1 / len(free)) if free else 0.0
        short = {axis for axis in free if shape[axis] * part <= least[axis]}
        if not short:
            return [least[axis] if axis in held else shape[axis] * part for axis in range(len(shape))]
        held |= short


def _below(value: float) -> int:
    """Return the largest integer below a number, so that with 1 added it rounds up and with a half to the nearest."""
    return math.ceil(value) - 1


def _levels(
    sizes: Sequence[int], spacing_mm: Sequence[float]
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Return steps and kernels, finest level first."""
    left, spacing = list(sizes), [float(mm) for mm in spacing_mm]
    wide = [False] * len(left)
    strides: list[tuple[int, ...]] = [(1,) * len(left)]
    kernels: list[tuple[int, ...]] = []
    while True:
        finest = min((mm for mm, size in zip(spacing, left, strict=True) if size > 1), default=1.0)
        wide = [size > 1 and (was or mm < _ALIKE * finest) for was, mm, size in zip(wide, spacing, left, strict=True)]
        kernels.append(tuple(3 if each else 1 for each in wide))
        long = [axis for axis, size in enumerate(left) if size >= 2 * LEAST_EDGE]
        nearest = min((spacing[axis] for axis in long), default=0.0)
        halved = [axis for axis in long if spacing[axis] < _ALIKE * nearest]
        if not halved:
            return tuple(strides), tuple(kernels)
        strides.append(tuple(2 if axis in halved else 1 for axis in range(len(left))))
        for axis in halved:
            left[axis], spacing[axis] = math.ceil(left[axis] / 2), spacing[axis] * 2
