"""U-Net in 2-D and 3-D, padded or unpadded, of any unit or around any encoder of the literature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from torch import Tensor, nn

from networks.base import Network
from networks.branch_extras import survivals
from networks.decoder import Decoder, DecoderPlan, Skip, plan_beside
from networks.encoder import Encoder, Level, add_units
from networks.encoders import has_residual_units, make_encoder
from networks.init import Init, initialize
from networks.layers import CHANNELS_LAST, CONVOLUTION, MAX_POOL, Activation, Norm, Padding, Style
from networks.levels import Levels, plan_levels
from networks.residual import ResidualOptions, ResidualUnit
from networks.sizes import check_axes, crop_end, pad_to_multiple
from networks.stem import Stem
from networks.units import Unit, UnitPlan

Downsampling = Literal["strided", "max"]
_OWN_CHANNELS = (32, 64, 128, 256)
_DECODER_CHANNELS = (16, 32, 64, 128, 256)  # beside an encoder of the literature


class UNet(Network):
    """Encoder and decoder joined at every level.

    Source: Ronneberger et al. 2015, U-Net; Çiçek et al. 2016 for 3-D; Isensee et al. 2021, nnU-Net, for
    strided convolutions, instance norm and deep supervision; Isensee et al. 2024, nnU-Net Revisited, for residual
    encoders.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the logits, one per class.
        spatial_dims: 2 for [B, C, X, Y], 3 for [B, C, X, Y, Z].
        encoder: An encoder of the literature, e.g. `resnet50`, `densenet121`, `cifar_resnet20`; it brings its own
            units, strides, kernels and channels: `strides`, `kernel_sizes` and `downsampling` are not used then, and
            `channels` and units are the decoder's. Null builds one from the arguments below.
        encoder_width: Factor on all numbers of channels of such an encoder.
        stem: What reads the image: `convolution` is one of 3, `imagenet` one of 7 and a pooling, which step by 4.
            Default: as the encoder's paper has it; none without one.
        channels: Feature channels of each level, finest first. With an encoder: of the decoder's levels, as many
            of them as it has. Default: 32, 64, 128, 256; with an encoder 16, 32, 64, 128, 256.
        strides: Step into each level, the first being 1; an integer or one per axis. Default: 1, then 2.
        kernel_sizes: Kernel of each level, odd where padded; an integer or one per axis. Default: 3.
        unit: Kind of the encoder's units, one for all levels or one for each: `plain` is one convolution, `basic`
            two with a shortcut, `bottleneck` and `resnext` three, `highway` one with a learned gate.
        units_per_level: Units of the encoder's levels; a number for all or one per level.
        decoder_unit: The kind of the decoder's units, one level less. Default: as in the encoder; with an encoder of
            the literature as `unit`.
        decoder_units_per_level: Their number. Default: as in the encoder.
        residual: How residual units are made, those of the decoder and of the encoder, whose own order and shortcut
            hold where it is of the literature; else shortcuts are `pooled` by default. Survival falls through the
            encoder, and the decoder keeps the last.
        skip: The encoder's features are concatenated or added to the decoder's.
        norm: Normalisation beside each convolution.
        norm_groups: Groups of the group norm.
        activation: Non-linearity behind each norm.
        padding: `same` takes any input size and gives it back; `valid` is unpadded, crops the skips, gives
            a smaller output and takes only sizes that divide evenly at every pooling.
        downsampling: `strided` lets the first unit of a level step; `max` pools before it, as `valid` needs.
        deep_supervision: Number of coarser levels with a head of their own; True for all of the decoder.
        dropout: Probability with which a whole channel is dropped behind each convolution of a branch.
        init: Initial weights; `_zero` starts every residual branch at zero.

    Raises:
        ValueError: If arguments contradict each other; names the argument and what was expected.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        spatial_dims: int = 3,
        encoder: str | None = None,
        encoder_width: float = 1.0,
        stem: Stem | None = None,
        channels: Sequence[int] | None = None,
        strides: Sequence[int | Sequence[int]] | None = None,
        kernel_sizes: Sequence[int | Sequence[int]] | None = None,
        unit: Unit | Sequence[Unit] = "plain",
        units_per_level: int | Sequence[int] = 2,
        decoder_unit: Unit | Sequence[Unit] | None = None,
        decoder_units_per_level: int | Sequence[int] | None = None,
        residual: ResidualOptions = ResidualOptions(),  # noqa: B008 -- frozen
        skip: Skip = "concat",
        norm: Norm = "instance",
        norm_groups: int = 8,
        activation: Activation = "leaky_relu",
        padding: Padding = "same",
        downsampling: Downsampling = "strided",
        deep_supervision: bool | int = False,
        dropout: float = 0.0,
        init: Init = "he",
    ) -> None:
        super().__init__()
        style = Style(spatial_dims, norm, norm_groups, activation, padding, dropout)
        if downsampling not in ("strided", "max"):
            raise ValueError(f"downsampling: expected strided or max, found {downsampling!r}")
        options = residual if residual.shortcut else replace(residual, shortcut="pooled")
        self._unpadded: Levels | None = None
        if encoder is None:
            widths = tuple(channels or _OWN_CHANNELS)
            if stem not in (None, "convolution"):
                raise ValueError(f"stem: expected convolution or null without an encoder, found {stem!r}")
            if encoder_width != 1.0:
                raise ValueError(f"encoder_width: expected an encoder that it is for, found {encoder_width} and none")
            levels = plan_levels(
                len(widths),
                spatial_dims,
                strides,
                kernel_sizes,
                (unit, units_per_level),
                (decoder_unit, decoder_units_per_level),
                stem=stem is not None,
            )
            _check(style, levels, downsampling)
            self._unpadded = levels if padding == "valid" else None
            self.encoder = _own_encoder(style, options, levels, [in_channels, *widths], downsampling)
            plan = DecoderPlan(widths[:-1], levels.kernels[:-1], levels.decoder, options, skip)
        else:
            if padding != "same":
                raise ValueError(f"padding: expected same with encoder {encoder!r}, found {padding!r}")
            # An encoder without residual units leaves the options to the decoder.
            own = residual if has_residual_units(encoder) else ResidualOptions()
            self.encoder = make_encoder(encoder, style, in_channels, options=own, width=encoder_width, stem=stem)
            plan = plan_beside(
                self.encoder.steps,
                channels or _DECODER_CHANNELS,
                unit if decoder_unit is None else decoder_unit,
                units_per_level if decoder_units_per_level is None else decoder_units_per_level,
                options,
                skip,
            )
        self.decoder = Decoder(style, plan, self.encoder.channels, self.encoder.steps)
        if residual != ResidualOptions() and not any(isinstance(module, ResidualUnit) for module in self.modules()):
            raise ValueError(f"residual: expected nothing here, as no unit is residual, found {residual}")
        extra_heads = _extra_heads(deep_supervision, padding, len(plan.widths))
        self.heads = nn.ModuleList(
            CONVOLUTION[spatial_dims](width, out_channels, 1) for width in plan.widths[: 1 + extra_heads]
        )
        initialize(self, init, style.slope, heads=self.heads)

    @property
    def total_stride(self) -> tuple[int, ...]:
        """Return the step per axis of the coarsest level: its multiples need no padding."""
        return tuple(math.prod(steps) for steps in zip(*self.encoder.steps, strict=True))

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Map images [B, C, *S] to logits [B, K, *S], smaller than S for `valid`.

        In training with deep supervision: a list of logits, finest first, each with its level's size
        (S / stride, rounded up).

        Raises:
            ValueError: If `valid` does not take the size; names the nearest that it takes.
        """
        check_axes(image, self.spatial_dims)
        size = image.shape[2:]
        if self._unpadded is None:
            image = pad_to_multiple(image, self.total_stride)
        else:
            self._unpadded.check_unpadded(size)
        # Channels-last spares the convolutions a reordering on every call.
        features = self.encoder(image.contiguous(memory_format=CHANNELS_LAST[len(size)]))
        heads = self.heads if self.training else self.heads[:1]
        levels = self.decoder(features, len(heads))
        outputs = [head(level) for head, level in zip(heads, levels, strict=True)]
        if self._unpadded is None:
            strides = self.decoder.strides[: len(outputs)]
            outputs = [
                crop_end(logits, _size_at(stride, size)) for logits, stride in zip(outputs, strides, strict=True)
            ]
        return outputs if self.training and len(self.heads) > 1 else outputs[0]


def _size_at(stride: Sequence[int], size: Sequence[int]) -> list[int]:
    """Return the size of a level for a padded image of a size: divided by the step, rounded up."""
    return [-(-length // step) for length, step in zip(size, stride, strict=True)]


def _own_encoder(
    style: Style, options: ResidualOptions, levels: Levels, widths: Sequence[int], downsampling: Downsampling
) -> Encoder:
    """Make an encoder of the levels that the user gave; `widths` starts with the image's channels."""
    plans = [UnitPlan(kind, options) for kinds in levels.encoder for kind in kinds]
    kept = iter(survivals(options.survival, options.survival_form, sum(plan.is_residual for plan in plans)))
    built: list[Level] = []
    for index, (step, kinds) in enumerate(zip(levels.strides, levels.encoder, strict=True)):
        level = Level(step, widths[index + 1])
        if downsampling == "max" and max(step) > 1:
            level.layers.append(MAX_POOL[style.spatial_dims](step))
        for number, kind in enumerate(kinds):
            plan = UnitPlan(kind, options)
            if built and not built[-1].finished and not plan.preactivates:
                built[-1].finish(style)
            incoming = widths[index + 1 if number else index]
            survival = [next(kept) if plan.is_residual else 1.0]
            # The first unit of all has nothing to bypass and begins with its convolution; a stem activates.
            begins = index == 0 and (number == 0 or kinds[number - 1] == "plain")
            add_units(level, style, plan, incoming, levels.kernels[index], survival, activated=begins)
        built.append(level)
    return Encoder(style, built)


def _extra_heads(deep_supervision: bool | int, padding: Padding, levels: int) -> int:
    """Return the number of heads beside the finest, of a decoder of so many levels."""
    count = levels - 1 if deep_supervision is True else int(deep_supervision)
    if not 0 <= count <= levels - 1:
        raise ValueError(f"deep_supervision: expected at most {levels - 1} coarser levels, found {count}")
    if count and padding == "valid":
        raise ValueError("deep_supervision: expected padding 'same', as unpadded levels see different regions")
    return count


def _check(style: Style, levels: Levels, downsampling: str) -> None:
    if style.padding == "valid" and downsampling != "max":
        raise ValueError("downsampling: expected max with padding 'valid', as cropped skips line up only there")
    if style.padding == "same" and any(k % 2 == 0 for kernel in levels.kernels for k in kernel):
        raise ValueError(f"kernel_sizes: expected odd sizes with padding 'same', found {levels.kernels}")
