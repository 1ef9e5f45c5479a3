"""Layers in 2-D and 3-D from one style: convolutions, norms, activations, and the plain unit made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.convolution import Conv2d, Conv3d

Norm = Literal["instance", "batch", "group", "none"]
Activation = Literal["leaky_relu", "relu", "silu", "gelu"]
Padding = Literal["same", "valid"]

CONVOLUTION: dict[int, type[Conv2d] | type[Conv3d]] = {2: Conv2d, 3: Conv3d}
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
    """What all layers of a network have in common.

    Attributes:
        spatial_dims: 2 or 3.
        norm: Normalisation beside each convolution.
        norm_groups: Number of groups of the group norm.
        activation: Non-linearity behind each norm.
        padding: `same` pads with zeros and keeps the size; `valid` loses kernel - 1 voxels per convolution.
        dropout: Probability with which a whole channel is dropped behind each convolution of a unit's branch.
        bias: Whether convolutions have a bias; by default where no instance or batch norm would cancel it.

    Raises:
        ValueError: If a value is none of those; names the argument and what was expected.
    """

    spatial_dims: int
    norm: Norm = "instance"
    norm_groups: int = 8
    activation: Activation = "leaky_relu"
    padding: Padding = "same"
    dropout: float = 0.0
    bias: bool | None = None

    def __post_init__(self) -> None:
        if self.spatial_dims not in CONVOLUTION:
            raise ValueError(f"spatial_dims: expected 2 or 3, found {self.spatial_dims}")
        if self.padding not in ("same", "valid"):
            raise ValueError(f"padding: expected same or valid, found {self.padding!r}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout: expected a probability below 1, found {self.dropout}")

    @property
    def has_bias(self) -> bool:
        """Tell whether convolutions have a bias."""
        return self.norm in ("group", "none") if self.bias is None else self.bias

    @property
    def one(self) -> tuple[int, ...]:
        """Return a kernel or stride of 1 along every axis."""
        return (1,) * self.spatial_dims

    @property
    def slope(self) -> float:
        """Return the slope of the activation below zero, on which the scale of initial weights depends."""
        return LEAKY_SLOPE if self.activation == "leaky_relu" else 0.0


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
        if style.norm_groups < 1 or channels % style.norm_groups:
            raise ValueError(f"norm_groups: expected a divisor of {channels} channels, found {style.norm_groups}")
        return nn.GroupNorm(style.norm_groups, channels)
    if style.norm == "none":
        return nn.Identity()
    raise ValueError(f"norm: expected instance, batch, group or none, found {style.norm!r}")


def make_activation(name: Activation, *, inplace: bool = True) -> nn.Module:
    """Make an activation that works in place where its gradient allows it."""
    if name == "leaky_relu":
        return nn.LeakyReLU(LEAKY_SLOPE, inplace=inplace)
    if name == "relu":
        return nn.ReLU(inplace=inplace)
    if name == "silu":
        return nn.SiLU()
    if name == "gelu":
        return nn.GELU()
    raise ValueError(f"activation: expected leaky_relu, relu, silu or gelu, found {name!r}")


def make_convolution(
    style: Style,
    in_channels: int,
    out_channels: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    *,
    groups: int = 1,
    bias: bool | None = None,
) -> nn.Module:
    """Make a convolution that keeps the size apart from its stride, or is unpadded, as the style says."""
    return CONVOLUTION[style.spatial_dims](
        in_channels,
        out_channels,
        tuple(kernel),  # type: ignore[arg-type]
        stride=tuple(stride),  # type: ignore[arg-type]
        padding=tuple(k // 2 for k in kernel) if style.padding == "same" else 0,  # type: ignore[arg-type]
        groups=groups,
        bias=style.has_bias if bias is None else bias,
    )


class MeanPool(nn.Module):
    """Take the mean over windows as wide as their step, rounded up as a strided convolution, blind to the outside."""

    def __init__(self, step: Sequence[int]) -> None:
        super().__init__()
        self.step = tuple(step)

    def forward(self, image: Tensor) -> Tensor:
        """Map [B, C, *S] to [B, C, *S'] with S' = S / step, rounded up."""
        # Torch takes no window that is wider than the image.
        window = [min(step, length) for step, length in zip(self.step, image.shape[2:], strict=True)]
        pool = F.avg_pool2d if len(window) == 2 else F.avg_pool3d
        return pool(image, window, self.step, ceil_mode=True, count_include_pad=False)


def convolve(
    style: Style,
    in_channels: int,
    out_channels: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    *,
    groups: int = 1,
) -> list[nn.Module]:
    """Return a convolution and, where the style has it, its dropout."""
    layers = [make_convolution(style, in_channels, out_channels, kernel, stride, groups=groups)]
    if style.dropout > 0:
        layers.append(DROPOUT[style.spatial_dims](style.dropout))
    return layers


def normalise(style: Style, channels: int) -> list[nn.Module]:
    """Return a norm and an activation that leave their input as it is, for a shortcut may read it too."""
    return [make_norm(style, channels), make_activation(style.activation, inplace=style.norm != "none")]


class ConvUnit(nn.Sequential):
    """The plain unit: convolution, dropout, norm and activation in a row."""

    def __init__(
        self,
        style: Style,
        in_channels: int,
        out_channels: int,
        kernel: Sequence[int],
        stride: Sequence[int],
    ) -> None:
        convolution = convolve(style, in_channels, out_channels, kernel, stride)
        super().__init__(*convolution, *normalise(style, out_channels))
