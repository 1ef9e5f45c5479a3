"""The hourglass and the U-Net, whose sizes are taken from a forward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drawing.sketch import BOX, Sketch
from drawing.walk import boxes_of
from networks import UNet
from networks.hourglass_stack import HourglassStack

_UNIT = (50.0, 24.0)
_SHIFT = 84.0  # sideways from one resolution of an hourglass to the next
_DOWN = 58.0
_LEVEL = (200.0, 40.0)  # box of a U-Net's level
_APART = 96.0  # from one level to the next
_RIGHT = 430.0  # from the encoder to the decoder
_WORDS = {"ConvUnit": "plain unit", "ResidualUnit": "residual unit", "MaxPool2d": "pooling"}


def sides(network: nn.Module, modules: nn.ModuleList, image: Tensor) -> list[int]:
    """Return the side of what each of some modules gives in a forward pass, in pixels."""
    found: dict[nn.Module, int] = {}
    hooks = [
        module.register_forward_hook(lambda module, _, output: found.update({module: output.shape[-1]}))
        for module in modules
    ]
    with torch.inference_mode():
        network.eval()(image)
    for hook in hooks:
        hook.remove()
    return [found[module] for module in modules]


def draw_hourglass(depth: int = 4, side: int = 64) -> Sketch:
    """Draw a stack: a row for each resolution, down on the left, across in the middle, up on the right."""
    stack = HourglassStack(lambda: nn.Sequential(nn.Identity()), 2, depth)
    image = torch.zeros(1, 1, side, side)
    rows = [*sides(stack, stack.across, image), sides(stack, stack.down, image)[-1]]
    sketch, width = Sketch(), 2 * _SHIFT * depth + 120
    for row, pixels in enumerate(rows):
        y, left, right = row * _DOWN, row * _SHIFT, width - row * _SHIFT
        sketch.text(-70, y, f"{pixels}²", size=11, bold=True)
        begin, end = (left - 40, right + 40) if row == 0 else (left - _SHIFT / 2 + 25, right + _SHIFT / 2 - 25)
        if row > 0:
            _draw_way_below(sketch, left, right, y)
        sketch.line((begin, y), (width / 2 - 25, y))
        sketch.box(width / 2, y, "unit", "convolution", _UNIT)
        if row < depth:
            sketch.line((width / 2 + 25, y), (right - 10, y))
            sketch.join(right, y)
            sketch.line((right + 10, y), (end, y))
        else:
            sketch.line((width / 2 + 25, y), (end, y))
    return sketch


def _draw_way_below(sketch: Sketch, left: float, right: float, y: float) -> None:
    """Draw a pooling and its unit on the left of a row, a unit and a raising on the right."""
    above, half = y - _DOWN, _SHIFT / 2
    sketch.line((left - _SHIFT, above), (left - _SHIFT, y), (left - half - 25, y))
    sketch.text(left - _SHIFT + 5, y - _DOWN / 2, "pool", size=8.5, side="left")
    sketch.box(left - half, y, "unit", "convolution", _UNIT)
    sketch.box(right + half, y, "unit", "convolution", _UNIT)
    sketch.line((right + half + 25, y), (right + _SHIFT, y), (right + _SHIFT, above + 10))
    sketch.text(right + _SHIFT - 5, y - _DOWN / 2, "raise", size=8.5, side="right")


def draw_unet(network: UNet, side: int) -> Sketch:
    """Draw a U-Net: a row for each level, the encoder on the left and the decoder on the right."""
    image = torch.zeros(1, network.in_channels, side, side)
    up = sides(network, network.decoder.levels, image)
    missing = len(up) - len(network.encoder.levels) + 1  # 1 where the encoder begins below the image's own size
    sketch = Sketch()
    _draw_encoder(sketch, network, sides(network, network.encoder.levels, image), missing)
    sketch.text(_RIGHT, -62, "decoder", size=11, bold=True)
    sketch.line((_RIGHT, -20), (_RIGHT, -46))
    for level, (pixels, layers) in enumerate(zip(up, network.decoder.levels, strict=True)):
        y, raising = level * _APART, network.decoder.up[level]
        words = f"{_units(layers)}\n{raising.out_channels} channels, {pixels}²"
        sketch.box(_RIGHT, y, words, "convolution", _LEVEL)
        below = y + _APART
        way = ((100.0, below), (_RIGHT, below)) if level + 1 == len(up) else ((_RIGHT, below - 20),)
        sketch.line(*way, (_RIGHT, y + 20))
        sketch.box(_RIGHT, y + _APART / 2, boxes_of(raising)[0][0], "convolution", (BOX[0] + 6, BOX[1]))
        if level >= missing:
            sketch.line((100, y), (_RIGHT - 100, y))
            sketch.text(_RIGHT / 2, y - 10, f"skip, {network.decoder.skip}")
    return sketch


def _draw_encoder(sketch: Sketch, network: UNet, pixels: list[int], missing: int) -> None:
    encoder = network.encoder
    sketch.text(0, -62, "encoder", size=11, bold=True)
    for level, layers in enumerate(encoder.levels):
        y, step = (level + missing) * _APART, encoder.steps[level][0]
        sketch.line((0, y - _APART + 20 if level else -46), (0, y - 20))
        if step > 1:
            sketch.text(8, y - _APART / 2, f"step {step}", side="left")
        words = f"{_units(layers)}\n{encoder.channels[level]} channels, {pixels[level]}²"
        sketch.box(0, y, words, "convolution", _LEVEL)


def _units(layers: nn.Module) -> str:
    """Return the units of a level in words."""
    kept = [_WORDS[name] for layer in layers.children() if (name := type(layer).__name__) in _WORDS]
    counted = {name: kept.count(name) for name in kept}
    return ", ".join(f"{count} {name}s" if count > 1 else name for name, count in counted.items())
