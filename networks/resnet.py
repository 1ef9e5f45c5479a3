"""Residual encoders: ResNet, pre-activation ResNet, ResNeXt, and CIFAR ResNets with plain and highway twins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from networks.branch_extras import survivals
from networks.encoder import Encoder, Level, add_units
from networks.layers import Style
from networks.stem import Stem, stem_levels
from networks.units import UnitPlan


@dataclass(frozen=True)
class ResNetPlan:
    """The integers of a residual encoder.

    Attributes:
        unit: Kind of unit.
        units: Number of units of each stage.
        widths: Channels out of each stage.
        stem_width: Channels out of the stem.
        stem: What reads the image.
    """

    unit: UnitPlan
    units: tuple[int, ...]
    widths: tuple[int, ...]
    stem_width: int = 64
    stem: Stem = "imagenet"

    def narrowed(self, width: float) -> ResNetPlan:
        """Return the plan with all numbers of channels multiplied."""
        scaled = tuple(max(1, round(channels * width)) for channels in (*self.widths, self.stem_width))
        return replace(self, widths=scaled[:-1], stem_width=scaled[-1])


def make_resnet(style: Style, plan: ResNetPlan, in_channels: int, *, pyramid: bool = True) -> Encoder:
    """Make a residual encoder.

    Its levels are the stem and the four stages (strides 2, 4, 8, 16, 32) for an ImageNet stem; with a stem of one
    convolution the first stage keeps the image's size and shares a level with it.

    Args:
        style: What all layers have in common.
        plan: Kind, number and width of units.
        in_channels: Channels of the image.
        pyramid: Features of all levels are wanted.

    Source: He et al. 2016, Deep Residual Learning, table 1 and section 4.2; He et al. 2016, Identity Mappings,
    appendix, for the first and last unit; Xie et al. 2017, ResNeXt, table 1.
    """
    dims = style.spatial_dims
    levels = stem_levels(style, plan.stem, in_channels, plan.stem_width)
    two, three = (2,) * dims, (3,) * dims
    options = plan.unit.options
    kept = survivals(options.survival, options.survival_form, sum(plan.units))
    channels = plan.stem_width
    for stage, (units, width) in enumerate(zip(plan.units, plan.widths, strict=True)):
        if stage > 0:
            levels.append(Level(two))
        level = levels[-1]
        level.channels = width
        # The stem is activated, and has nothing to bypass: the first unit begins with its convolution.
        add_units(level, style, plan.unit, channels, three, kept[:units], activated=stage == 0)
        channels, kept = width, kept[units:]
    return Encoder(style, levels, pyramid=pyramid)


def residual_plan(unit: UnitPlan, units: Sequence[int]) -> ResNetPlan:
    """Return the plan of an ImageNet ResNet: stages of 64 to 512 channels, four times that for bottlenecks."""
    expansion = 1 if unit.kind == "basic" else 4
    widths = tuple(expansion * channels for channels in (64, 128, 256, 512))
    return ResNetPlan(unit, tuple(units), widths)


def cifar_plan(unit: UnitPlan, depth: int) -> ResNetPlan:
    """Return the plan of a CIFAR network of 6n + 2 layers: three stages of 16, 32 and 64 channels.

    Raises:
        ValueError: If the depth is not of that form; names the nearest.
    """
    n = (depth - 2) // 6
    if depth != 6 * n + 2 or n < 1:
        nearest = sorted({6 * max(1, n) + 2, 6 * (max(0, n) + 1) + 2})
        raise ValueError(f"encoder: expected a depth of 6n + 2, found {depth}; the nearest are {nearest}")
    layers = 2 * n // unit.wide_convolutions
    return ResNetPlan(unit, (layers,) * 3, (16, 32, 64), stem_width=16, stem="convolution")
