"""Layers as boxes of a drawing: what each does, in words, and of which kind it is."""

from __future__ import annotations

from torch import nn

from networks.branch_extras import BranchScale, SqueezeExcitation, StochasticDepth
from networks.layers import InstanceNorm, MeanPool
from networks.shortcuts import PadShortcut

_ACTIVATIONS = {nn.ReLU: "ReLU", nn.LeakyReLU: "leaky ReLU", nn.SiLU: "SiLU", nn.GELU: "GELU"}
_NORMS = {nn.BatchNorm2d: "batch norm", InstanceNorm: "instance norm", nn.GroupNorm: "group norm"}
_EXTRAS = {
    SqueezeExcitation: "squeeze-and-excitation",
    BranchScale: "learnable scale",
    StochasticDepth: "stochastic depth",
    nn.Dropout2d: "dropout of channels",
}


def boxes_of(module: nn.Module) -> list[tuple[str, str]]:
    """Return the text and the kind of the box of every layer in a row, identities left out.

    Raises:
        ValueError: If a layer has no words yet; names its class.
    """
    if isinstance(module, nn.Sequential):
        return [box for layer in module for box in boxes_of(layer)]
    if isinstance(module, nn.Identity):
        return []
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return [(_convolution(module), "convolution")]
    for kinds, kind in ((_NORMS, "norm"), (_ACTIVATIONS, "activation"), (_EXTRAS, "extra")):
        if type(module) in kinds:
            return [(kinds[type(module)], kind)]
    if isinstance(module, PadShortcut):
        step = module.stride[0]
        return [(f"one pixel of {step}x{step}", "other"), (f"{module.added} channels of zeros", "other")]
    if isinstance(module, MeanPool):
        return [(f"mean of {module.step[0]}x{module.step[0]}", "other")]
    raise ValueError(f"expected a layer that has words, found {type(module).__name__}: add them")


def _convolution(module: nn.Conv2d | nn.ConvTranspose2d) -> str:
    side, step = module.kernel_size[0], module.stride[0]
    words = "up " if isinstance(module, nn.ConvTranspose2d) else ""
    words += f"{side}x{side} conv, {module.out_channels}"
    words += f", {module.groups} groups" if module.groups > 1 else ""
    return words + (f", step {step}" if step > 1 else "")
