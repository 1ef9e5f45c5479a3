"""The vocabulary of units: plain, basic, bottleneck, ResNeXt and highway, each 2-D or 3-D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from torch import nn

from networks.highway import HighwayUnit
from networks.layers import ConvUnit, Style
from networks.residual import ResidualOptions, ResidualUnit, Shape

Unit = Literal["plain", "basic", "bottleneck", "resnext", "highway"]
# Width of the inner convolutions as a part of the unit's, and the largest number of their groups.
_INNER: dict[str, tuple[float, int]] = {"bottleneck": (0.25, 1), "resnext": (0.5, 32)}


@dataclass(frozen=True)
class UnitPlan:
    """What kind of units a network is made of.

    Attributes:
        kind: `plain` is one convolution without a shortcut, `basic` two with one, `bottleneck` and `resnext` three,
            `highway` one with a learned gate.
        options: Order, shortcut and extras of residual units.
        inner: Width of a bottleneck's inner convolution as a part of its output; default by kind.
        raw_projection: With pre-activation a projection reads the unit's input as it is, and not what the branch's
            first norm and activation give.

    Raises:
        ValueError: If the kind is unknown.
    """

    kind: Unit = "basic"
    options: ResidualOptions = field(default_factory=ResidualOptions)
    inner: float | None = None
    raw_projection: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Unit):
            raise ValueError(f"unit: expected {', '.join(get_args(Unit))}, found {self.kind!r}")

    @property
    def wide_convolutions(self) -> int:
        """Return how many convolutions have the unit's kernel, the others being 1x1."""
        return 2 if self.kind == "basic" else 1

    @property
    def preactivates(self) -> bool:
        """Tell whether the unit normalises and activates its input itself, and leaves its output to the next."""
        return self.is_residual and self.options.preactivation

    @property
    def is_residual(self) -> bool:
        """Tell whether the unit has a branch beside a shortcut."""
        return self.kind in ("basic", "bottleneck", "resnext")


def make_unit(
    style: Style,
    plan: UnitPlan,
    in_channels: int,
    out_channels: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    *,
    survival: float = 1.0,
    activated: bool = False,
) -> nn.Module:
    """Make one unit that maps [B, C, *S] to [B, C', *S / stride].

    Args:
        style: What all layers of the network have in common.
        plan: Kind of unit.
        in_channels: Channels in.
        out_channels: Channels out.
        kernel: Kernel of the wide convolutions.
        stride: Step of the unit.
        survival: Probability with which a residual branch is kept in training.
        activated: The input has been normalised and activated already, so that pre-activation is left out.
    """
    if plan.kind == "plain":
        return ConvUnit(style, in_channels, out_channels, kernel, stride)
    if plan.kind == "highway":
        return HighwayUnit(style, in_channels, out_channels, kernel, stride, plan.options.shortcut or "projection")
    shape = Shape(in_channels, out_channels, tuple(kernel), tuple(stride))
    inner, groups = _INNER.get(plan.kind, (1.0, 1))
    inner = inner if plan.inner is None else plan.inner
    width = None if plan.kind == "basic" else max(1, round(out_channels * inner))
    return ResidualUnit(
        style,
        plan.options,
        shape,
        width=width,
        groups=groups,
        survival=survival,
        activated=activated,
        raw_projection=plan.raw_projection,
    )
