"""Initial weights: one choice for any network, drawn so that activations keep their scale through depth."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from networks.highway import HighwayUnit
from networks.residual import ResidualUnit

Init = Literal["he", "he_zero", "xavier", "xavier_zero"]


def initialize(
    network: nn.Module, init: Init = "he", negative_slope: float = 0.0, *, heads: Iterable[nn.Module] = ()
) -> None:
    """Draw all weights of a network in place; biases become 0, those of highway gates negative.

    Args:
        network: Module whose convolutions and linear layers are drawn anew. Norms are left alone.
        init: `he` is He's normal distribution by the fan in, `xavier` Glorot's by the mean of fan in and out;
            with `_zero` the last norm of every residual branch starts at zero, or its last convolution where it has
            no norm, so that each unit that adds starts as its shortcut.
        negative_slope: Slope of the leaky ReLU behind the convolutions; 0 for ReLU. For `he`.
        heads: Convolutions that have no activation behind them.

    Raises:
        ValueError: If the choice is unknown.

    Source: He et al. 2015, Delving Deep into Rectifiers, section 2.2; Glorot and Bengio 2010, equation 16; Goyal et
    al. 2017, section 5.1, for the zeros.
    """
    if init not in get_args(Init):
        raise ValueError(f"init: expected {', '.join(get_args(Init))}, found {init!r}")
    gain = nn.init.calculate_gain("leaky_relu", negative_slope)
    linear = set(heads)
    for module in network.modules():
        if isinstance(module, _ConvNd | nn.Linear):
            bare = module in linear or isinstance(module, _ConvTransposeNd | nn.Linear)
            _draw(module, init.removesuffix("_zero"), 1.0 if bare else gain)
    for module in network.modules():
        if isinstance(module, HighwayUnit):
            module.start()
        if isinstance(module, ResidualUnit) and init.endswith("_zero"):
            module.silence()


def _draw(layer: _ConvNd | nn.Linear, init: str, gain: float) -> None:
    fan_in, fan_out = _fans(layer)
    deviation = gain / math.sqrt(fan_in) if init == "he" else math.sqrt(2.0 / (fan_in + fan_out))
    with torch.no_grad():
        layer.weight.normal_(0.0, deviation)
        if layer.bias is not None:
            layer.bias.zero_()


def _fans(layer: _ConvNd | nn.Linear) -> tuple[float, float]:
    """Return how many inputs an output sums over, and how many outputs an input goes to."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    taps = math.prod(layer.kernel_size)
    # A transposed convolution with a stride as wide as its kernel has one tap per output voxel.
    taps_in = taps / math.prod(layer.stride) if isinstance(layer, _ConvTransposeNd) else taps
    return layer.in_channels / layer.groups * taps_in, layer.out_channels / layer.groups * taps
