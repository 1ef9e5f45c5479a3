"""The first layers of an encoder, which read the image."""

from __future__ import annotations

from typing import Literal

from networks.encoder import Level
from networks.layers import MAX_POOL, ConvUnit, Style

Stem = Literal["imagenet", "convolution"]


def stem_levels(style: Style, stem: Stem, in_channels: int, width: int) -> list[Level]:
    """Return the levels that an encoder begins with; its first stage goes into the last of them.

    Args:
        style: What all layers have in common.
        stem: `imagenet` is a convolution of 7 with step 2, a level of its own, and a max pooling of 3 with step 2;
            `convolution` is one of 3 that keeps the image's size.
        in_channels: Channels of the image.
        width: Channels of the stem.

    Raises:
        ValueError: If the stem is unknown.
    """
    dims = style.spatial_dims
    if stem == "convolution":
        return [Level(style.one, width, [ConvUnit(style, in_channels, width, (3,) * dims, style.one)])]
    if stem != "imagenet":
        raise ValueError(f"stem: expected imagenet or convolution, found {stem!r}")
    two = (2,) * dims
    first = ConvUnit(style, in_channels, width, (7,) * dims, two)
    return [Level(two, width, [first]), Level(two, layers=[MAX_POOL[dims](3, stride=2, padding=1)])]
