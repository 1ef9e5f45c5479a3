"""The integers of a U-Net: steps, kernels and units of each level, and the sizes that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from networks.units import Unit, UnitPlan

PerLevel = Sequence[int | Sequence[int]]
PerLevelUnit = Unit | Sequence[Unit]
REACH = 4096  # voxels within which a nearest size that fits is looked for


@dataclass(frozen=True)
class Levels:
    """Geometry of a U-Net, finest level first.

    Attributes:
        strides: Step into each level, per axis; the first is 1.
        kernels: Kernel of each level, per axis.
        encoder: Kinds of the units of each level of the encoder.
        decoder: Kinds of the units of each level of the decoder, one level less.
    """

    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    encoder: tuple[tuple[Unit, ...], ...]
    decoder: tuple[tuple[Unit, ...], ...]

    def unpadded_output(self, length: int, axis: int) -> int | None:
        """Return the length along an axis behind unpadded convolutions; None where it does not divide."""
        last = len(self.strides) - 1
        for level, units in enumerate(self.encoder):
            if length % self.strides[level][axis]:
                return None
            length = length // self.strides[level][axis] - self._lost(level, units, axis)
            if length < 1:
                return None
        for level in range(last - 1, -1, -1):
            length *= self.strides[level + 1][axis]
            length -= self._lost(level, self.decoder[level], axis)
            if length < 1:
                return None
        return length

    def _lost(self, level: int, units: Sequence[Unit], axis: int) -> int:
        """Return the voxels along an axis that unpadded units of a level lose."""
        convolutions = sum(UnitPlan(kind).wide_convolutions for kind in units)
        return convolutions * (self.kernels[level][axis] - 1)

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
    encoder: tuple[PerLevelUnit, int | Sequence[int]],
    decoder: tuple[PerLevelUnit | None, int | Sequence[int] | None],
    *,
    stem: bool = False,
) -> Levels:
    """Resolve what a user gives for all levels, per level or per axis.

    Args:
        count: Number of levels.
        spatial_dims: Number of spatial axes.
        strides: Step into each level; None is 1, then 2.
        kernel_sizes: Kernel of each level; None is 3.
        encoder: Kind and number of units of the encoder's levels.
        decoder: Kind and number of units of the decoder's levels; None is as in the encoder.
        stem: A plain unit comes before those of the first level.

    Raises:
        ValueError: If a length or an entry does not fit; names the argument.
    """
    if count < 2:
        raise ValueError(f"channels: expected at least two levels, found {count}")
    steps = _per_axis(strides or [1] + [2] * (count - 1), count, spatial_dims, "strides")
    if max(steps[0]) > 1:
        raise ValueError(f"strides: expected the first to be 1, found {steps[0]}")
    kernels = _per_axis(kernel_sizes or [3] * count, count, spatial_dims, "kernel_sizes")
    kinds, numbers = _kinds(encoder[0], count, "unit"), _numbers(encoder[1], count, "units_per_level")
    units = tuple((kind,) * number for kind, number in zip(kinds, numbers, strict=True))
    before: tuple[Unit, ...] = ("plain",) if stem else ()
    units = (before + units[0], *units[1:])
    return Levels(steps, kernels, units, _decoder_units(decoder, kinds, numbers))


def _decoder_units(
    decoder: tuple[PerLevelUnit | None, int | Sequence[int] | None], kinds: tuple[Unit, ...], numbers: tuple[int, ...]
) -> tuple[tuple[Unit, ...], ...]:
    count = len(kinds) - 1
    kind, number = decoder
    kinds = kinds[:-1] if kind is None else _kinds(kind, count, "decoder_unit")
    numbers = numbers[:-1] if number is None else _numbers(number, count, "decoder_units_per_level")
    return tuple((each,) * many for each, many in zip(kinds, numbers, strict=True))


def _kinds(value: PerLevelUnit, count: int, name: str) -> tuple[Unit, ...]:
    kinds: tuple[Unit, ...] = (value,) * count if isinstance(value, str) else tuple(value)
    if len(kinds) != count:
        raise ValueError(f"{name}: expected one kind, or one for each of {count} levels, found {len(kinds)}")
    for kind in kinds:
        if kind not in get_args(Unit):
            raise ValueError(f"{name}: expected {', '.join(get_args(Unit))}, found {kind!r}")
    return kinds


def _per_axis(values: PerLevel, count: int, dims: int, name: str) -> tuple[tuple[int, ...], ...]:
    if len(values) != count:
        raise ValueError(f"{name}: expected one entry for each of {count} levels, found {len(values)}")
    result = tuple((value,) * dims if isinstance(value, int) else tuple(value) for value in values)
    for sizes in result:
        if len(sizes) != dims or min(sizes) < 1:
            raise ValueError(f"{name}: expected a positive integer or {dims} of them, found {sizes}")
    return result


def _numbers(value: int | Sequence[int], count: int, name: str) -> tuple[int, ...]:
    numbers = (value,) * count if isinstance(value, int) else tuple(value)
    if len(numbers) != count or min(numbers) < 1:
        raise ValueError(f"{name}: expected a positive number or one for each of {count} levels, found {value!r}")
    return numbers
