"""Initial weights: He's normal distribution, which keeps the scale of activations through depth."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd


def he_init(network: nn.Module, negative_slope: float = 0.01) -> None:
    """Draw all convolution weights from He's normal distribution in place; biases become 0.

    Transposed convolutions have no activation behind them and get a gain of 1. Norms are left alone.

    Args:
        network: Module whose convolutions are drawn anew.
        negative_slope: Slope of the leaky ReLU behind the convolutions; 0 for ReLU.

    Source: He et al. 2015, Delving Deep into Rectifiers, section 2.2.
    """
    gain = nn.init.calculate_gain("leaky_relu", negative_slope)
    for module in network.modules():
        if isinstance(module, _ConvNd):
            _draw(module, 1.0 if isinstance(module, _ConvTransposeNd) else gain)


def linear_init(convolution: nn.Module) -> None:
    """Draw the weights of a convolution that has no activation behind it, as the heads are.

    Raises:
        TypeError: If the module is not a convolution.
    """
    if not isinstance(convolution, _ConvNd):
        raise TypeError(f"expected a convolution, found {type(convolution).__name__}")
    _draw(convolution, 1.0)


def _draw(convolution: _ConvNd, gain: float) -> None:
    taps: float = math.prod(convolution.kernel_size)
    if isinstance(convolution, _ConvTransposeNd):
        # A stride as wide as the kernel leaves one tap per output voxel.
        taps /= math.prod(convolution.stride)
    fan_in = convolution.in_channels / convolution.groups * taps
    with torch.no_grad():
        convolution.weight.normal_(0.0, gain / math.sqrt(fan_in))
        if convolution.bias is not None:
            convolution.bias.zero_()
