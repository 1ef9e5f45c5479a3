"""Building blocks of convolutional networks in 2-D and 3-D: norms, activations, plain and residual units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from networks.sizes import centre_crop

Norm = Literal["instance", "batch", "group", "none"]
Activation = Literal["leaky_relu", "relu", "silu", "gelu"]
Padding = Literal["same", "valid"]
Unit = Literal["plain", "residual"]

CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
UP_CONVOLUTION: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
MAX_POOL: dict[int, type[nn.MaxPool2d] | type[nn.MaxPool3d]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
DROPOUT: dict[int, type[nn.Dropout2d] | type[nn.Dropout3d]] = {2: nn.Dropout2d, 3: nn.Dropout3d}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
LEAKY_SLOPE = 0.01  # as in nnU-Net


@dataclass(frozen=True)
class Style:
    """What all units of a network have in common.

    Attributes:
        spatial_dims: 2 or 3.
        norm: Normalisation behind each convolution.
        norm_groups: Number of groups of the group norm.
        activation: Non-linearity behind each norm.
        padding: `same` pads with zeros and keeps the size; `valid` loses kernel - 1 voxels per convolution.
        dropout: Probability with which a whole channel is dropped behind each convolution.
    """

    spatial_dims: int
    norm: Norm = "instance"
    norm_groups: int = 8
    activation: Activation = "leaky_relu"
    padding: Padding = "same"
    dropout: float = 0.0

    @property
    def bias(self) -> bool:
        """Tell whether convolutions have a bias: an instance or batch norm would cancel it."""
        return self.norm in ("group", "none")


class InstanceNorm(nn.Module):
    """Normalise each channel of each image over space, then scale and shift it (Ulyanov et al. 2016).

    Computes what `nn.InstanceNorm3d(channels, affine=True)` does, in 2-D and 3-D, and keeps the channels-last
    layout. A channel of a single voxel gives the shift instead of an error.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, image: Tensor) -> Tensor:
        """Normalise [B, C, *S]."""
        layout = CHANNELS_LAST[image.ndim - 2]
        if torch.compiler.is_compiling() or not image.is_contiguous(memory_format=layout):
            return torch.instance_norm(image, self.weight, self.bias, None, None, True, 0.0, self.eps, True)
        # Instance norm is the batch norm of one image. The instance kernel would reorder to channels-first
        # and make the next convolution reorder back, which costs a quarter of a training step on a CPU.
        return torch.cat([self._of_one(one) for one in torch.split(image, 1)])

    def _of_one(self, image: Tensor) -> Tensor:
        return torch.batch_norm(image, self.weight, self.bias, None, None, True, 0.0, self.eps, True)


def make_norm(style: Style, channels: int) -> nn.Module:
    """Make the norm of a style for a number of channels."""
    if style.norm == "instance":
        return InstanceNorm(channels)
    if style.norm == "batch":
        return nn.BatchNorm2d(channels) if style.spatial_dims == 2 else nn.BatchNorm3d(channels)
    if style.norm == "group":
        return nn.GroupNorm(style.norm_groups, channels)
    if style.norm == "none":
        return nn.Identity()
    raise ValueError(f"norm: expected instance, batch, group or none, found {style.norm!r}")


def make_activation(name: Activation) -> nn.Module:
    """Make an activation that works in place where its gradient allows it."""
    if name == "leaky_relu":
        return nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
    if name == "relu":
        return nn.ReLU(inplace=True)
    if name == "silu":
        return nn.SiLU()
    if name == "gelu":
        return nn.GELU()
    raise ValueError(f"activation: expected leaky_relu, relu, silu or gelu, found {name!r}")


def make_convolution(
    style: Style, in_channels: int, out_channels: int, kernel: Sequence[int], stride: Sequence[int]
) -> nn.Module:
    """Make a convolution that keeps the size apart from its stride, or is unpadded, as the style says."""
    return CONVOLUTION[style.spatial_dims](
        in_channels,
        out_channels,
        tuple(kernel),  # type: ignore[arg-type]
        stride=tuple(stride),  # type: ignore[arg-type]
        padding=tuple(k // 2 for k in kernel) if style.padding == "same" else 0,  # type: ignore[arg-type]
        bias=style.bias,
    )


class ConvUnit(nn.Sequential):
    """Convolution, dropout, norm and activation in a row."""

    def __init__(
        self,
        style: Style,
        in_channels: int,
        out_channels: int,
        kernel: Sequence[int],
        stride: Sequence[int],
        *,
        activate: bool = True,
    ) -> None:
        layers = [make_convolution(style, in_channels, out_channels, kernel, stride)]
        if style.dropout > 0:
            layers.append(DROPOUT[style.spatial_dims](style.dropout))
        layers.append(make_norm(style, out_channels))
        if activate:
            layers.append(make_activation(style.activation))
        super().__init__(*layers)


class ResidualUnit(nn.Module):
    """Two convolutions bridged by a shortcut, in the original order of He et al. 2016, option B."""

    def __init__(
        self, style: Style, in_channels: int, out_channels: int, kernel: Sequence[int], stride: Sequence[int]
    ) -> None:
        super().__init__()
        one = (1,) * style.spatial_dims
        self.first = ConvUnit(style, in_channels, out_channels, kernel, stride)
        self.second = ConvUnit(style, out_channels, out_channels, kernel, one, activate=False)
        self.activation = make_activation(style.activation)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels or max(stride) > 1:
            # A kernel as wide as the stride lets every voxel through, where a strided 1x1 would drop most.
            unpadded = replace(style, padding="valid", dropout=0.0)
            self.shortcut = ConvUnit(unpadded, in_channels, out_channels, stride, stride, activate=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, C, *S] to [B, C', *S'] with S' = S / stride."""
        branch = self.second(self.first(features))
        shortcut = centre_crop(self.shortcut(features), branch.shape[2:])
        output: Tensor = self.activation(branch.add_(shortcut))  # in place: memory traffic is what costs
        return output


def make_level(
    style: Style,
    unit: Unit,
    in_channels: int,
    out_channels: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    convs: int,
) -> nn.Sequential:
    """Make the convolutions of one level; the first takes the stride.

    Residual units bridge two convolutions each; an odd one out at the end stays plain.

    Raises:
        ValueError: If the unit is unknown or the number of convolutions is not positive.
    """
    if unit not in ("plain", "residual"):
        raise ValueError(f"unit: expected plain or residual, found {unit!r}")
    if convs < 1:
        raise ValueError(f"convs_per_level: expected at least 1, found {convs}")
    spans = [1] * convs if unit == "plain" else [2] * (convs // 2) + [1] * (convs % 2)
    units: list[nn.Module] = []
    for span in spans:
        kind = ResidualUnit if span == 2 else ConvUnit
        units.append(kind(style, in_channels, out_channels, kernel, stride))
        in_channels, stride = out_channels, (1,) * style.spatial_dims
    return nn.Sequential(*units)
