"""The integers of a U-Net: steps, kernels and convolutions of each level, and the sizes that follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PerLevel = Sequence[int | Sequence[int]]
REACH = 4096  # voxels within which a nearest size that fits is looked for


@dataclass(frozen=True)
class Levels:
    """Geometry of a U-Net, finest level first.

    Attributes:
        strides: Step into each level, per axis; the first is 1.
        kernels: Kernel of each level, per axis.
        encoder_convs: Convolutions of each level of the encoder.
        decoder_convs: Convolutions of each level of the decoder, one level less.
    """

    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    encoder_convs: tuple[int, ...]
    decoder_convs: tuple[int, ...]

    @property
    def total_stride(self) -> tuple[int, ...]:
        """Return the step per axis of the coarsest level."""
        return tuple(math.prod(steps) for steps in zip(*self.strides, strict=True))

    def size_at(self, level: int, size: Sequence[int]) -> list[int]:
        """Return the size of a level for a padded image of a size: divided by the step, rounded up."""
        steps = zip(*self.strides[: level + 1], strict=True)
        return [-(-length // math.prod(step)) for length, step in zip(size, steps, strict=True)]

    def unpadded_output(self, length: int, axis: int) -> int | None:
        """Return the length along an axis behind unpadded convolutions; None where it does not divide."""
        last = len(self.strides) - 1
        for level, convs in enumerate(self.encoder_convs):
            if length % self.strides[level][axis]:
                return None
            length = length // self.strides[level][axis] - convs * (self.kernels[level][axis] - 1)
            if length < 1:
                return None
        for level in range(last - 1, -1, -1):
            length *= self.strides[level + 1][axis]
            length -= self.decoder_convs[level] * (self.kernels[level][axis] - 1)
            if length < 1:
                return None
        return length

    def check_unpadded(self, size: Sequence[int]) -> None:
        """Check that unpadded convolutions take a size, as pooling would drop a row and shift the skips.

        Raises:
            ValueError: If they do not; names the nearest sizes that they take.
        """
        for axis, length in enumerate(size):
            if self.unpadded_output(length, axis) is None:
                nearest = [
                    next((n for n in candidates if self.unpadded_output(n, axis) is not None), None)
                    for candidates in (range(length - 1, 0, -1), range(length + 1, length + REACH))
                ]
                raise ValueError(
                    f"padding 'valid' does not take {length} voxels along axis {axis} of {tuple(size)}: "
                    f"the nearest that divide evenly are {[n for n in nearest if n is not None]}"
                )


def plan_levels(
    count: int,
    spatial_dims: int,
    strides: PerLevel | None,
    kernel_sizes: PerLevel | None,
    convs: int | Sequence[int],
    decoder_convs: int | Sequence[int] | None,
) -> Levels:
    """Resolve what a user gives for all levels, per level or per axis.

    Args:
        count: Number of levels.
        spatial_dims: Number of spatial axes.
        strides: Step into each level; None is 1, then 2.
        kernel_sizes: Kernel of each level; None is 3.
        convs: Convolutions of the encoder's levels.
        decoder_convs: Convolutions of the decoder's levels; None is as in the encoder.

    Raises:
        ValueError: If a length or an entry does not fit; names the argument.
    """
    if count < 2:
        raise ValueError(f"channels: expected at least two levels, found {count}")
    steps = _per_axis(strides or [1] + [2] * (count - 1), count, spatial_dims, "strides")
    if max(steps[0]) > 1:
        raise ValueError(f"strides: expected the first to be 1, found {steps[0]}")
    kernels = _per_axis(kernel_sizes or [3] * count, count, spatial_dims, "kernel_sizes")
    encoder = _per_level(convs, count, "convs_per_level")
    decoder = _per_level(encoder[:-1] if decoder_convs is None else decoder_convs, count - 1, "decoder_convs_per_level")
    return Levels(steps, kernels, encoder, decoder)


def _per_axis(values: PerLevel, count: int, dims: int, name: str) -> tuple[tuple[int, ...], ...]:
    if len(values) != count:
        raise ValueError(f"{name}: expected one entry for each of {count} levels, found {len(values)}")
    result = tuple((value,) * dims if isinstance(value, int) else tuple(value) for value in values)
    for sizes in result:
        if len(sizes) != dims or min(sizes) < 1:
            raise ValueError(f"{name}: expected a positive integer or {dims} of them, found {sizes}")
    return result


def _per_level(value: int | Sequence[int], count: int, name: str) -> tuple[int, ...]:
    numbers = (value,) * count if isinstance(value, int) else tuple(value)
    if len(numbers) != count or min(numbers) < 1:
        raise ValueError(f"{name}: expected a positive number or one for each of {count} levels, found {value!r}")
    return numbers
