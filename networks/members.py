"""Every network of the family by name, as its paper has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from networks.base import Network
from networks.classifier import Classifier
from networks.encoders import ENCODERS
from networks.hourglass import Hourglass
from networks.unet import UNet


@dataclass(frozen=True)
class Registered:
    """A member of the family.

    Attributes:
        network: Its class.
        arguments: The constructor's arguments that make it this member, spatial dimensions apart.
        channels: Channels in and out, as in the paper.
        spatial_dims: Of the paper; each can be made with 2 and with 3.
        size: Length of an image's side in the paper, pixels.
        paper: Where it is described.
        switches: What sets it apart, in words.
    """

    network: type[Network]
    channels: tuple[int, int]
    size: int
    paper: str
    switches: str
    spatial_dims: int = 2
    arguments: dict[str, Any] = field(default_factory=dict)

    def make(
        self,
        in_channels: int | None = None,
        out_channels: int | None = None,
        spatial_dims: int | None = None,
        **changes: object,
    ) -> Network:
        """Make the network, of the paper's channels and dimensions unless others are given.

        Args:
            in_channels: Channels of the image.
            out_channels: Channels of the answer.
            spatial_dims: 2 or 3.
            **changes: Arguments of the class that differ from the member's, e.g. a smaller width.
        """
        arguments = self.arguments | changes
        return self.network(
            self.channels[0] if in_channels is None else in_channels,
            self.channels[1] if out_channels is None else out_channels,
            spatial_dims=self.spatial_dims if spatial_dims is None else spatial_dims,
            **arguments,
        )


_NNUNET = {
    "channels": (32, 64, 128, 256, 320, 320),
    "decoder_unit": "plain",
    "deep_supervision": True,
}


def _members() -> dict[str, Registered]:
    members: dict[str, Registered] = {}
    for name, encoder in ENCODERS.items():
        cifar = name.startswith("cifar")
        classes, size = (10, 32) if cifar else (1000, 224)
        members[name] = Registered(
            Classifier, (3, classes), size, encoder.paper, encoder.switches, arguments={"encoder": name}
        )
    members["unet_2015"] = Registered(
        UNet,
        (1, 2),
        572,
        "Ronneberger et al. 2015, U-Net",
        "plain, unpadded, no norm, max pooling",
        arguments={
            "channels": (64, 128, 256, 512, 1024),
            "norm": "none",
            "activation": "relu",
            "padding": "valid",
            "downsampling": "max",
        },
    )
    members["unet_plain"] = Registered(
        UNet,
        (1, 2),
        128,
        "Isensee et al. 2021, nnU-Net",
        "plain, padded, instance norm, strided, deep supervision",
        spatial_dims=3,
        arguments=_NNUNET | {"units_per_level": 2, "decoder_units_per_level": 2},
    )
    members["unet_residual"] = Registered(
        UNet,
        (1, 2),
        128,
        "Isensee et al. 2024, nnU-Net Revisited",
        "basic, pooled shortcuts; presets M and L",
        spatial_dims=3,
        arguments=_NNUNET
        | {
            "stem": "convolution",
            "unit": "basic",
            "units_per_level": (1, 3, 4, 6, 6, 6),
            "decoder_units_per_level": 1,
        },
    )
    for stacks in (1, 2, 4, 8):
        members[f"hourglass_{stacks}"] = Registered(
            Hourglass,
            (3, 16),
            256,
            "Newell et al. 2016, Stacked Hourglass Networks",
            "pre-activation bottleneck, added skips",
            arguments={"stacks": stacks},
        )
    return members


MEMBERS = _members()
