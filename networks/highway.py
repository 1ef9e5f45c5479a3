"""The highway unit: a learned gate between a convolution and the carried input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from networks.layers import ConvUnit, Style, make_convolution
from networks.shortcuts import Shortcut, make_shortcut
from networks.sizes import centre_crop

GATE_BIAS = -2.0  # carries 88 % of the input at the start; the paper uses -1 to -4, more for deeper networks


class HighwayUnit(nn.Module):
    """One convolution, mixed with the input by a gate for each voxel and channel.

    Where the number of channels or the size changes, a shortcut carries the input.

    Source: Srivastava et al. 2015, Training Very Deep Networks, equations 2 and 3.

    Args:
        style: What all layers of the network have in common.
        in_channels: Channels in.
        out_channels: Channels out.
        kernel: Kernel of the convolution and of its gate.
        stride: Step of the unit.
        shortcut: How the input is carried where shapes differ.
    """

    def __init__(
        self,
        style: Style,
        in_channels: int,
        out_channels: int,
        kernel: Sequence[int],
        stride: Sequence[int],
        shortcut: Shortcut,
    ) -> None:
        super().__init__()
        self.transform = ConvUnit(style, in_channels, out_channels, kernel, stride)
        self.gate = make_convolution(style, in_channels, out_channels, kernel, stride, bias=True)
        plain = replace(style, dropout=0.0)
        self.shortcut = make_shortcut(plain, shortcut, in_channels, out_channels, stride, norm=True)

    def start(self) -> None:
        """Set the gate's bias so that at first the input is carried."""
        with torch.no_grad():
            self.gate.bias.fill_(GATE_BIAS)  # type: ignore[operator]

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, C, *S] to [B, C', *S'] with S' = S / stride."""
        gate = self.gate(features).sigmoid()
        carried = centre_crop(self.shortcut(features), gate.shape[2:])
        output: Tensor = carried + gate * (self.transform(features) - carried)
        return output
