"""U-Net that gives heatmaps at a quarter of the image's size, behind the stem of an hourglass."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from networks.base import Network
from networks.hourglass import STEP, check_size, quarter_stem
from networks.layers import Activation, Norm, Style
from networks.residual import ResidualOptions
from networks.unet import UNet
from networks.units import Unit, UnitPlan


class HeatmapUNet(Network):
    """The stem of a stacked hourglass, and one U-Net in place of the hourglasses.

    It reads images and answers as an hourglass does, so that both train on the same targets and can be compared: a
    U-Net widens where it is coarse, joins by concatenation and passes once; an hourglass keeps its width, joins by
    addition and passes once per stack.

    Source: Ronneberger et al. 2015, U-Net; the stem of Newell et al. 2016, Stacked Hourglass Networks, section 3.3.

    Args:
        in_channels: Channels of the image.
        out_channels: Heatmaps, one per landmark.
        channels: Channels of each level, the first at a quarter of the image's size; that must be a multiple of 4.
        unit: Kind of the U-Net's units, one for all levels or one for each.
        units_per_level: Units of the encoder's levels; a number for all or one per level.
        decoder_units_per_level: Units of the decoder's levels, one level less. Default: as in the encoder.
        deep_supervision: Number of coarser levels with heatmaps of their own.
        norm: Normalisation beside each convolution.
        norm_groups: Groups of the group norm.
        activation: Non-linearity.

    Raises:
        ValueError: If an argument does not fit; names it and what was expected.
    """

    answers = "heatmaps"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        channels: Sequence[int] = (128, 192, 256, 320, 320),
        unit: Unit | Sequence[Unit] = "basic",
        units_per_level: int | Sequence[int] = 1,
        decoder_units_per_level: int | Sequence[int] | None = None,
        deep_supervision: int = 0,
        norm: Norm = "batch",
        norm_groups: int = 8,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        if channels[0] < 4 or channels[0] % 4:
            raise ValueError(f"channels: expected the first to be a multiple of 4, found {channels[0]}")
        style = Style(2, norm, norm_groups, activation, bias=True)
        plan = UnitPlan("bottleneck", ResidualOptions(preactivation=True), inner=0.5, raw_projection=True)
        self.stem = quarter_stem(style, plan, in_channels, channels[0])
        self.unet = UNet(
            channels[0],
            out_channels,
            spatial_dims=2,
            channels=channels,
            unit=unit,
            units_per_level=units_per_level,
            decoder_units_per_level=decoder_units_per_level,
            norm=norm,
            norm_groups=norm_groups,
            activation=activation,
            deep_supervision=deep_supervision,
        )

    @property
    def heads(self) -> nn.ModuleList:
        """Return the convolutions that give the heatmaps."""
        return self.unet.heads

    @property
    def multiple(self) -> int:
        """Return what the image's length along every axis must be a multiple of."""
        return int(STEP * max(self.unet.total_stride))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map images [B, C, H, W] to heatmaps [B, K, H / 4, W / 4], in a list as an hourglass does.

        In training with deep supervision those of coarser levels come before.

        Raises:
            ValueError: If a length is not a multiple of `multiple`; names the nearest that are.
        """
        check_size(image.shape[2:], self.multiple)
        outputs = self.unet(self.stem(image))
        return [outputs] if isinstance(outputs, Tensor) else outputs[::-1]
