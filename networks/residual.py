"""The residual unit: a branch of two or three convolutions beside a shortcut, in either order of layers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from networks.branch_extras import BranchScale, SqueezeExcitation, StochasticDepth
from networks.layers import Norm, Style, convolve, make_activation, make_convolution, make_norm, normalise
from networks.shortcuts import Shortcut, make_shortcut
from networks.sizes import centre_crop


@dataclass(frozen=True)
class ResidualOptions:
    """How residual units are made; all options can be combined.

    Args:
        preactivation: Norm and activation stand before each convolution and the shortcut stays clean
            (He et al. 2016, Identity Mappings), or behind it, with an activation after the addition.
        shortcut: Where shapes differ: `pad` fills channels with zeros (option A of He et al. 2016), `projection` is
            a 1x1 convolution (B), `projection_everywhere` also where they agree (C), `pooled` averages first
            (ResNet-D). Null is what the network has by itself.
        branch_scale: Start of a learnable number that multiplies the branch; null for none.
        branch_norm: Norm at the branch's end, in place of the one that stands there in the original order.
        fusion: `add` branch and shortcut, or `concat` them and mix by a 1x1 convolution.
        squeeze_excitation: How many times narrower the channel gate on the branch is; 0 for none.
        survival: Probability with which the last unit keeps its branch in training (stochastic depth).
        survival_form: That probability falls with depth (`linear`), or is the same everywhere (`uniform`).

    Raises:
        ValueError: If a value is out of range; names it.
    """

    preactivation: bool = False
    shortcut: Shortcut | None = None
    branch_scale: float | None = None
    branch_norm: Norm = "none"
    fusion: Literal["add", "concat"] = "add"
    squeeze_excitation: int = 0
    survival: float = 1.0
    survival_form: Literal["linear", "uniform"] = "linear"

    def __post_init__(self) -> None:
        if self.shortcut not in (None, *get_args(Shortcut)):
            expected = ", ".join(get_args(Shortcut))
            raise ValueError(f"residual.shortcut: expected {expected} or null, found {self.shortcut!r}")
        if self.branch_norm not in get_args(Norm):
            raise ValueError(f"residual.branch_norm: expected {', '.join(get_args(Norm))}, found {self.branch_norm!r}")
        if self.fusion not in ("add", "concat"):
            raise ValueError(f"residual.fusion: expected add or concat, found {self.fusion!r}")
        if self.squeeze_excitation < 0:
            raise ValueError(f"residual.squeeze_excitation: expected 0 or more, found {self.squeeze_excitation}")
        if not 0.0 < self.survival <= 1.0:
            raise ValueError(f"residual.survival: expected a probability above 0, found {self.survival}")
        if self.survival_form not in ("linear", "uniform"):
            raise ValueError(f"residual.survival_form: expected linear or uniform, found {self.survival_form!r}")


@dataclass(frozen=True)
class Shape:
    """Channels in and out, kernel and step of a unit."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]


class ResidualUnit(nn.Module):
    """A branch of convolutions, and a shortcut past it.

    Args:
        style: What all layers of the network have in common.
        options: Order, shortcut and extras.
        shape: Channels, kernel and step.
        width: Channels of the middle convolution of three (1x1, kernel, 1x1); None makes a branch of two.
        groups: Groups of the middle convolution at most.
        survival: Probability with which the branch is kept in training.
        activated: The input has been normalised and activated already.
        raw_projection: A projection reads the input as it is; else, with pre-activation, it shares the first norm and
            activation with the branch.

    Source: He et al. 2016, Deep Residual Learning, figure 5; Identity Mappings, figure 4; Xie et al. 2017, ResNeXt,
    figure 3c. As in ResNeXt the middle convolution of three takes the step.
    """

    def __init__(
        self,
        style: Style,
        options: ResidualOptions,
        shape: Shape,
        *,
        width: int | None = None,
        groups: int = 1,
        survival: float = 1.0,
        activated: bool = False,
        raw_projection: bool = False,
    ) -> None:
        super().__init__()
        plain = replace(style, dropout=0.0)
        first, last = shape.in_channels, shape.out_channels
        self.opening = nn.Sequential(*normalise(style, first) if options.preactivation and not activated else ())
        self.branch = nn.Sequential(*_branch(style, options, shape, width, groups))
        self.ending = nn.Sequential(*_ending(style, options, last, survival))
        self._scaled_to_zero = options.branch_scale == 0.0
        norm = not options.preactivation
        self.shortcut = make_shortcut(plain, options.shortcut or "projection", first, last, shape.stride, norm=norm)
        # With a projection the first activation is shared; without one the shortcut stays clean.
        self.shares_opening = not raw_projection and any(True for _ in self.shortcut.parameters())
        self.fusion: nn.Module | None = None
        if options.fusion == "concat":
            self.fusion = make_convolution(plain, 2 * last, last, style.one, style.one, bias=True)
        self.activation = nn.Identity() if options.preactivation else make_activation(style.activation)

    def silence(self) -> None:
        """Zero the branch's last norm, or its last convolution where no norm stands behind it.

        A branch whose scale starts at zero is left as it is: of two zeros in a row neither would get a gradient.

        Source: Goyal et al. 2017, Accurate, Large Minibatch SGD, section 5.1.
        """
        if self._scaled_to_zero:
            return
        weighted = [layer for layer in self.branch if isinstance(getattr(layer, "weight", None), Tensor)]
        with torch.no_grad():
            weighted[-1].weight.zero_()  # type: ignore[operator]

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, C, *S] to [B, C', *S'] with S' = S / stride."""
        opened = self.opening(features)
        branch = self.ending(self.branch(opened))
        carried = centre_crop(self.shortcut(opened if self.shares_opening else features), branch.shape[2:])
        if self.fusion is None:
            branch.add_(carried)  # in place: memory traffic is what costs
        else:
            branch = self.fusion(torch.cat((branch, carried), dim=1))
        output: Tensor = self.activation(branch)
        return output


def _branch(
    style: Style, options: ResidualOptions, shape: Shape, width: int | None, groups: int
) -> Iterator[nn.Module]:
    """Return the convolutions with norms and activations between them, and the norm at their end."""
    first, last, one = shape.in_channels, shape.out_channels, style.one
    if width is None:
        yield from convolve(style, first, last, shape.kernel, shape.stride)
        yield from normalise(style, last)
        yield from convolve(style, last, last, shape.kernel, one)
    else:
        yield from convolve(style, first, width, one, one)
        yield from normalise(style, width)
        yield from convolve(style, width, width, shape.kernel, shape.stride, groups=math.gcd(groups, width))
        yield from normalise(style, width)
        yield from convolve(style, width, last, one, one)
    if options.branch_norm != "none":
        yield make_norm(replace(style, norm=options.branch_norm), last)
    elif not options.preactivation and style.norm != "none":
        yield make_norm(style, last)


def _ending(style: Style, options: ResidualOptions, channels: int, survival: float) -> Iterator[nn.Module]:
    """Return what scales the branch."""
    if options.squeeze_excitation:
        yield SqueezeExcitation(style, channels, options.squeeze_excitation)
    if options.branch_scale is not None:
        yield BranchScale(options.branch_scale)
    if survival < 1.0:
        yield StochasticDepth(survival)
