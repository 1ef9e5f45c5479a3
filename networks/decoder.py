"""The way back up: from a pyramid of features to features at the image's resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from networks.encoder import Level, add_units
from networks.layers import UP_CONVOLUTION, Style, make_convolution, normalise
from networks.residual import ResidualOptions
from networks.sizes import centre_crop
from networks.units import Unit, UnitPlan

Skip = Literal["concat", "add"]
_T = TypeVar("_T")


@dataclass(frozen=True)
class DecoderPlan:
    """The integers of a decoder, finest level first.

    Attributes:
        widths: Feature channels of each level.
        kernels: Kernel of each level, per axis.
        units: Kinds of the units of each level.
        options: How residual units are made.
        skip: The encoder's features are concatenated or added; where their channels differ, a 1x1 convolution fits
            them for the addition.
    """

    widths: tuple[int, ...]
    kernels: tuple[tuple[int, ...], ...]
    units: tuple[tuple[Unit, ...], ...]
    options: ResidualOptions
    skip: Skip


class Decoder(nn.Module):
    """Transposed convolutions into each level, joined there with the encoder's features.

    Where the encoder's finest features are coarser than the image, the last level has nothing to join.

    Args:
        style: What all layers have in common.
        plan: Width and units of each level.
        channels: Channels of the encoder's features, finest first.
        steps: Step into each of the encoder's levels, per axis.

    Attributes:
        strides: Step of each level from the image, per axis.
    """

    def __init__(
        self, style: Style, plan: DecoderPlan, channels: Sequence[int], steps: Sequence[tuple[int, ...]]
    ) -> None:
        super().__init__()
        if plan.skip not in ("concat", "add"):
            raise ValueError(f"skip: expected concat or add, found {plan.skip!r}")
        # A level at the image's own resolution, without features, stands before those that begin with a step.
        own_steps = (style.one, *steps) if max(steps[0]) > 1 else tuple(steps)
        skips = (0, *channels[:-1]) if max(steps[0]) > 1 else tuple(channels[:-1])
        self.strides = _cumulative(own_steps)[:-1]
        self.skip = plan.skip
        below = (*plan.widths[1:], channels[-1])
        self.up, self.fit, self.levels = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, (width, skip) in enumerate(zip(plan.widths, skips, strict=True)):
            step = own_steps[level + 1]
            up = UP_CONVOLUTION[style.spatial_dims](below[level], width, step, step, bias=style.has_bias)  # type: ignore[arg-type]
            self.up.append(up)
            fits = plan.skip == "concat" or skip in (0, width)
            self.fit.append(nn.Identity() if fits else make_convolution(style, skip, width, style.one, style.one))
            joined = width + (skip if plan.skip == "concat" else 0)
            self.levels.append(_level(style, plan, level, joined))

    def forward(self, features: list[Tensor], heads: int) -> list[Tensor]:
        """Return the features of the finest `heads` levels from those of the encoder, finest first."""
        outputs: list[Tensor] = []
        raised = features[-1]
        missing = len(self.levels) - len(features) + 1  # 1 where the finest level has nothing to join
        for level in reversed(range(len(self.levels))):
            raised = self.up[level](raised)
            if level >= missing:
                raised = self._join(raised, self.fit[level](features[level - missing]))
            raised = self.levels[level](raised)
            if level < heads:
                outputs.insert(0, raised)
        return outputs

    def _join(self, raised: Tensor, skip: Tensor) -> Tensor:
        skip = centre_crop(skip, raised.shape[2:])
        return torch.cat((skip, raised), dim=1) if self.skip == "concat" else raised + skip


def plan_beside(
    steps: Sequence[tuple[int, ...]],
    channels: Sequence[int],
    unit: Unit | Sequence[Unit],
    units: int | Sequence[int],
    options: ResidualOptions,
    skip: Skip,
) -> DecoderPlan:
    """Fit a decoder to an encoder that has levels of its own.

    Of lists, as many entries are taken as the decoder has levels; the last is repeated where they are too few.

    Args:
        steps: Step into each of the encoder's levels, per axis.
        channels: Feature channels of each level.
        unit: Kind of the units, for all levels or for each.
        units: Their number, for all levels or for each.
        options: How residual units are made.
        skip: How features are joined.
    """
    for name, values in (("channels", channels), ("decoder_unit", unit), ("decoder_units_per_level", units)):
        if not isinstance(values, int) and not len(values):
            raise ValueError(f"{name}: expected at least one entry, found none")
    count = len(steps) - 1 + (max(steps[0]) > 1)
    kinds = _fitted([unit] if isinstance(unit, str) else unit, count)
    numbers = _fitted([units] if isinstance(units, int) else units, count)
    if min(numbers) < 1:
        raise ValueError(f"decoder_units_per_level: expected at least 1, found {units}")
    return DecoderPlan(
        widths=tuple(_fitted(channels, count)),
        kernels=((3,) * len(steps[0]),) * count,
        units=tuple((kind,) * number for kind, number in zip(kinds, numbers, strict=True)),
        options=options,
        skip=skip,
    )


def _fitted(values: Sequence[_T], count: int) -> list[_T]:
    return [values[min(index, len(values) - 1)] for index in range(count)]


def _level(style: Style, plan: DecoderPlan, level: int, in_channels: int) -> nn.Sequential:
    width = plan.widths[level]
    built = Level(style.one, width)
    for kind in plan.units[level]:
        unit = UnitPlan(kind, plan.options)
        add_units(built, style, unit, in_channels, plan.kernels[level], [plan.options.survival])
        in_channels = width
    return nn.Sequential(*built.layers, *([] if built.finished else normalise(style, width)))


def _cumulative(steps: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    strides = [steps[0]]
    for step in steps[1:]:
        strides.append(tuple(before * factor for before, factor in zip(strides[-1], step, strict=True)))
    return tuple(strides)
