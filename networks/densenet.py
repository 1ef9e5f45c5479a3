"""DenseNet: every layer reads the features of all layers before it in its block."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from networks.encoder import Encoder, Level
from networks.layers import MeanPool, Style, convolve, make_convolution, normalise
from networks.stem import Stem, stem_levels


class DenseLayer(nn.Sequential):
    """Append new features: norm, activation, 1x1 bottleneck; norm, activation, 3x3 convolution.

    Args:
        style: What all layers have in common.
        in_channels: Channels in.
        growth: New channels; the bottleneck has four times as many.

    Source: Huang et al. 2017, Densely Connected Convolutional Networks, section 3, DenseNet-B.
    """

    def __init__(self, style: Style, in_channels: int, growth: int) -> None:
        width = 4 * growth
        super().__init__(
            *normalise(style, in_channels),
            *convolve(style, in_channels, width, style.one, style.one),
            *normalise(style, width),
            *convolve(style, width, growth, (3,) * style.spatial_dims, style.one),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, C, *S] to [B, C + growth, *S]."""
        added = features
        for layer in self:
            added = layer(added)
        return torch.cat((features, added), dim=1)


class Transition(nn.Sequential):
    """Halve the channels and the size between two dense blocks (Huang et al. 2017, DenseNet-C)."""

    def __init__(self, style: Style, in_channels: int, out_channels: int) -> None:
        super().__init__(
            *normalise(style, in_channels),
            make_convolution(style, in_channels, out_channels, style.one, style.one),
            MeanPool((2,) * style.spatial_dims),
        )


@dataclass(frozen=True)
class DenseNetPlan:
    """The integers of a DenseNet.

    Attributes:
        layers: Number of dense layers of each block.
        growth: Channels that a layer adds.
        stem_width: Channels out of the stem.
        stem: As that of a ResNet.
    """

    layers: tuple[int, ...]
    growth: int = 32
    stem_width: int = 64
    stem: Stem = "imagenet"

    def narrowed(self, width: float) -> DenseNetPlan:
        """Return the plan with all numbers of channels multiplied."""
        growth, stem_width = (max(1, round(channels * width)) for channels in (self.growth, self.stem_width))
        return replace(self, growth=growth, stem_width=stem_width)


def make_densenet(style: Style, plan: DenseNetPlan, in_channels: int, *, pyramid: bool = True) -> Encoder:
    """Make a DenseNet, whose levels are the stem and the blocks (strides 2, 4, 8, 16, 32 for an ImageNet stem).

    Args:
        style: What all layers have in common.
        plan: Number and width of layers.
        in_channels: Channels of the image.
        pyramid: Features of all levels are wanted.

    Source: Huang et al. 2017, Densely Connected Convolutional Networks, table 1 (DenseNet-BC, compression 0.5).
    """
    levels = stem_levels(style, plan.stem, in_channels, plan.stem_width)
    channels = plan.stem_width
    for block, count in enumerate(plan.layers):
        if block > 0:
            levels.append(Level((2,) * style.spatial_dims, layers=[Transition(style, channels, channels // 2)]))
            channels //= 2
        for _ in range(count):
            levels[-1].layers.append(DenseLayer(style, channels, plan.growth))
            channels += plan.growth
        levels[-1].channels, levels[-1].finished = channels, False
    return Encoder(style, levels, pyramid=pyramid)
