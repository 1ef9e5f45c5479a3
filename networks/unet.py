"""U-Net in 2-D and 3-D, padded or unpadded, with plain or residual units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from networks.base import Network
from networks.blocks import (
    CHANNELS_LAST,
    CONVOLUTION,
    LEAKY_SLOPE,
    MAX_POOL,
    UP_CONVOLUTION,
    Activation,
    Norm,
    Padding,
    Style,
    Unit,
    make_level,
)
from networks.init import he_init, linear_init
from networks.levels import Levels, plan_levels
from networks.sizes import centre_crop, crop_end, pad_to_multiple

Downsampling = Literal["strided", "max"]


class UNet(Network):
    """Encoder and decoder joined by concatenation at every level.

    Source: Ronneberger et al. 2015, U-Net; Çiçek et al. 2016 for 3-D; Isensee et al. 2021, nnU-Net, for
    strided convolutions, instance norm and deep supervision.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the logits, one per class.
        spatial_dims: 2 for [B, C, X, Y], 3 for [B, C, X, Y, Z].
        channels: Feature channels of each level, finest first.
        strides: Step into each level, the first being 1; an integer or one per axis. Default: 1, then 2.
        kernel_sizes: Kernel of each level, odd where padded; an integer or one per axis. Default: 3.
        convs_per_level: Convolutions of the encoder's levels; a number for all or one per level.
        decoder_convs_per_level: The same for the decoder, one level less. Default: as in the encoder.
        unit: `residual` bridges every two convolutions of a level by a shortcut, `plain` does not.
        norm: Normalisation behind each convolution.
        norm_groups: Groups of the group norm.
        activation: Non-linearity behind each norm.
        padding: `same` takes any input size and gives it back; `valid` is unpadded, crops the skips, gives
            a smaller output and takes only sizes that divide evenly at every pooling.
        downsampling: `strided` lets the first convolution of a level step; `max` pools before it, as `valid`
            needs.
        deep_supervision: Number of coarser levels with a head of their own; True for all of the decoder.
        dropout: Probability with which a whole channel is dropped behind each convolution.

    Raises:
        ValueError: If arguments contradict each other; names the argument and what was expected.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        spatial_dims: int = 3,
        channels: Sequence[int] = (32, 64, 128, 256),
        strides: Sequence[int | Sequence[int]] | None = None,
        kernel_sizes: Sequence[int | Sequence[int]] | None = None,
        convs_per_level: int | Sequence[int] = 2,
        decoder_convs_per_level: int | Sequence[int] | None = None,
        unit: Unit = "plain",
        norm: Norm = "instance",
        norm_groups: int = 8,
        activation: Activation = "leaky_relu",
        padding: Padding = "same",
        downsampling: Downsampling = "strided",
        deep_supervision: bool | int = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        levels = plan_levels(
            len(channels), spatial_dims, strides, kernel_sizes, convs_per_level, decoder_convs_per_level
        )
        style = Style(spatial_dims, norm, norm_groups, activation, padding, dropout)
        _check(style, levels, downsampling)
        extra_heads = _extra_heads(deep_supervision, padding, len(channels))
        self._levels = levels
        self._padding = padding
        # All three lists count levels alike: entry 0 is the finest.
        self.encoder = _encoder(style, unit, levels, [in_channels, *channels], downsampling)
        self.up, self.decoder = _decoder(style, unit, levels, channels)
        self.heads = nn.ModuleList(
            CONVOLUTION[spatial_dims](width, out_channels, 1) for width in channels[: 1 + extra_heads]
        )
        he_init(self, LEAKY_SLOPE if activation == "leaky_relu" else 0.0)
        for head in self.heads:
            linear_init(head)

    @property
    def total_stride(self) -> tuple[int, ...]:
        """Return the step per axis of the coarsest level: its multiples need no padding."""
        return self._levels.total_stride

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Map images [B, C, *S] to logits [B, K, *S], smaller than S for `valid`.

        In training with deep supervision: a list of logits, finest first, each with its level's size
        (S / stride, rounded up).

        Raises:
            ValueError: If `valid` does not take the size; names the nearest that it takes.
        """
        size = image.shape[2:]
        if self._padding == "same":
            image = pad_to_multiple(image, self.total_stride)
        else:
            self._levels.check_unpadded(size)
        # Channels-last spares the convolutions a reordering on every call.
        features = image.contiguous(memory_format=CHANNELS_LAST[len(size)])
        skips: list[Tensor] = []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        outputs: list[Tensor] = []
        for level in reversed(range(len(self.decoder))):
            raised = self.up[level](features)
            skip = centre_crop(skips[level], raised.shape[2:])
            features = self.decoder[level](torch.cat((skip, raised), dim=1))
            if level == 0 or (self.training and level < len(self.heads)):
                outputs.insert(0, self.heads[level](features))
        if self._padding == "same":
            sizes = [self._levels.size_at(level, size) for level in range(len(outputs))]
            outputs = [crop_end(logits, at) for logits, at in zip(outputs, sizes, strict=True)]
        return outputs if self.training and len(self.heads) > 1 else outputs[0]


def _encoder(
    style: Style, unit: Unit, levels: Levels, widths: Sequence[int], downsampling: Downsampling
) -> nn.ModuleList:
    """Make the encoder's levels; `widths` starts with the image's channels."""
    stages = nn.ModuleList()
    for level, step in enumerate(levels.strides):
        pool = downsampling == "max" and max(step) > 1
        stride = (1,) * style.spatial_dims if pool else step
        widths_here = widths[level], widths[level + 1]
        stage = make_level(style, unit, *widths_here, levels.kernels[level], stride, levels.encoder_convs[level])
        stages.append(nn.Sequential(MAX_POOL[style.spatial_dims](step), *stage) if pool else stage)
    return stages


def _decoder(style: Style, unit: Unit, levels: Levels, channels: Sequence[int]) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Make the transposed convolutions into each level but the coarsest, and the levels behind them."""
    ups, stages = nn.ModuleList(), nn.ModuleList()
    up_convolution = UP_CONVOLUTION[style.spatial_dims]
    one = (1,) * style.spatial_dims
    for level, width in enumerate(channels[:-1]):
        step = levels.strides[level + 1]
        ups.append(up_convolution(channels[level + 1], width, step, step, bias=style.bias))  # type: ignore[arg-type]
        convs = levels.decoder_convs[level]
        stages.append(make_level(style, unit, 2 * width, width, levels.kernels[level], one, convs))
    return ups, stages


def _extra_heads(deep_supervision: bool | int, padding: Padding, levels: int) -> int:
    """Return the number of heads beside the finest: the decoder has one level less than the encoder."""
    count = levels - 2 if deep_supervision is True else int(deep_supervision)
    if not 0 <= count <= levels - 2:
        raise ValueError(f"deep_supervision: expected at most {levels - 2} coarser levels, found {count}")
    if count and padding == "valid":
        raise ValueError("deep_supervision: expected padding 'same', as unpadded levels see different regions")
    return count


def _check(style: Style, levels: Levels, downsampling: str) -> None:
    if style.spatial_dims not in CONVOLUTION:
        raise ValueError(f"spatial_dims: expected 2 or 3, found {style.spatial_dims}")
    if style.padding not in ("same", "valid"):
        raise ValueError(f"padding: expected same or valid, found {style.padding!r}")
    if downsampling not in ("strided", "max"):
        raise ValueError(f"downsampling: expected strided or max, found {downsampling!r}")
    if style.padding == "valid" and downsampling != "max":
        raise ValueError("downsampling: expected max with padding 'valid', as cropped skips line up only there")
    if style.padding == "same" and any(k % 2 == 0 for kernel in levels.kernels for k in kernel):
        raise ValueError(f"kernel_sizes: expected odd sizes with padding 'same', found {levels.kernels}")
