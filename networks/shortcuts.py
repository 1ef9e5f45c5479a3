"""Shortcuts of residual units: identity where shapes agree, else zero-padded, projected or pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from networks.layers import MeanPool, Style, make_convolution, make_norm

Shortcut = Literal["pad", "projection", "projection_everywhere", "pooled"]


class PadShortcut(nn.Module):
    """Take every `stride`-th voxel and fill the new channels with zeros: no parameters.

    Source: He et al. 2016, Deep Residual Learning, section 3.3, option A.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: Sequence[int]) -> None:
        super().__init__()
        if out_channels < in_channels:
            raise ValueError(
                f"shortcut 'pad': expected at least {in_channels} channels out, found {out_channels}: zeros can be "
                "added but no channel left out; take projection"
            )
        self.added = out_channels - in_channels
        self.stride = tuple(stride)

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, C, *S] to [B, C', *S'] with S' = S / stride, rounded up."""
        for axis, step in enumerate(self.stride, start=2):
            features = features[(slice(None),) * axis + (slice(None, None, step),)]
        return F.pad(features, [0, 0] * len(self.stride) + [0, self.added])


def make_shortcut(
    style: Style,
    kind: Shortcut,
    in_channels: int,
    out_channels: int,
    stride: Sequence[int],
    *,
    norm: bool,
) -> nn.Module:
    """Make the shortcut of a unit.

    Args:
        style: Dimensions and norm.
        kind: `pad` is option A of He et al. 2016, `projection` B (1x1 convolution where shapes differ),
            `projection_everywhere` C; `pooled` averages before it projects, so that every voxel gets through
            (He et al. 2019, Bag of Tricks, ResNet-D).
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Step of the unit.
        norm: Whether a projection is normalised, as in the original order of layers.

    Raises:
        ValueError: If the kind is unknown, or `pad` would have to leave out channels.
    """
    if kind not in ("pad", "projection", "projection_everywhere", "pooled"):
        raise ValueError(f"shortcut: expected pad, projection, projection_everywhere or pooled, found {kind!r}")
    step = tuple(stride)
    if in_channels == out_channels and max(step) == 1 and kind != "projection_everywhere":
        return nn.Identity()
    if kind == "pad":
        return PadShortcut(in_channels, out_channels, step)
    layers: list[nn.Module] = []
    if kind == "pooled" and max(step) > 1:
        layers.append(MeanPool(step))
        step = style.one
    if kind != "pooled" or in_channels != out_channels:
        layers.append(make_convolution(style, in_channels, out_channels, style.one, step))
        layers += [make_norm(style, out_channels)] if norm else []
    return nn.Sequential(*layers)
