"""Draw the units of the networks into docs/pictures/.

    python docs/draw.py [--output docs/pictures] [--png]

A drawing is made from a real module, whose layers are walked: a picture cannot say what the code does not do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from drawing.sketch import Sketch
from drawing.units import STYLE, draw_columns, draw_dense, draw_highway, draw_orders
from drawing.wholes import draw_hourglass, draw_unet

from networks import UNet
from networks.densenet import DenseLayer, Transition
from networks.highway import HighwayUnit
from networks.layers import ConvUnit
from networks.residual import ResidualOptions
from networks.shortcuts import Shortcut, make_shortcut

_KERNEL, _ONE, _TWO = (3, 3), (1, 1), (2, 2)
_SHORTCUTS: dict[str, Shortcut] = {"pad (A)": "pad", "projection (B)": "projection", "pooled": "pooled"}


def draw_shortcuts() -> Sketch:
    """Draw the shortcuts where channels and size change, as the original order has them."""
    return draw_columns(
        *((title, 64, make_shortcut(STYLE, kind, 64, 128, _TWO, norm=True)) for title, kind in _SHORTCUTS.items())
    )


def draw_extras() -> Sketch:
    """Draw a unit with all options, to show their places."""
    options = ResidualOptions(
        branch_norm="instance", squeeze_excitation=16, branch_scale=0.0, survival=0.8, fusion="concat"
    )
    return draw_orders("basic", 64, 64, style=replace(STYLE, dropout=0.1), options=options)


DRAWINGS: dict[str, Callable[[], Sketch]] = {
    "unit_plain": lambda: draw_columns(("plain", 64, ConvUnit(STYLE, 64, 64, _KERNEL, _ONE))),
    "unit_highway": lambda: draw_highway(HighwayUnit(STYLE, 64, 64, _KERNEL, _ONE, "projection"), 64),
    "unit_basic": lambda: draw_orders("basic", 64, 64),
    "unit_basic_step": lambda: draw_orders("basic", 64, 128, 2),
    "unit_bottleneck": lambda: draw_orders("bottleneck", 256, 256),
    "unit_resnext": lambda: draw_orders("resnext", 256, 256),
    "unit_dense": lambda: draw_dense(DenseLayer(STYLE, 64, 32), Transition(STYLE, 256, 128), 64, 256),
    "shortcuts": draw_shortcuts,
    "branch_extras": draw_extras,
    "unet_levels": lambda: draw_unet(UNet(1, 2, spatial_dims=2, channels=(32, 64, 128)), 128),
    "unet_encoder": lambda: draw_unet(UNet(1, 2, spatial_dims=2, encoder="resnet18"), 128),
    "hourglass_stack": draw_hourglass,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw all into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("pictures"), metavar="FOLDER")
    parser.add_argument("--png", action="store_true", help="also as PNG, to look at")
    given = parser.parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    for name, draw in DRAWINGS.items():
        for suffix in (".svg", ".png") if given.png else (".svg",):
            draw().save(given.output / f"{name}{suffix}")


if __name__ == "__main__":
    main()
