"""An encoder with a head: one answer for a whole image."""

from __future__ import annotations

from torch import Tensor, nn

from networks.base import Network
from networks.encoders import make_encoder
from networks.init import Init, initialize
from networks.layers import CHANNELS_LAST, Activation, Norm, Style
from networks.residual import ResidualOptions
from networks.sizes import check_axes
from networks.stem import Stem


class Classifier(Network):
    """Any encoder of the literature, the mean over space, and a linear layer.

    Args:
        in_channels: Channels of the image.
        out_channels: Number of classes.
        encoder: Name of the encoder, e.g. `resnet50`, `densenet121`, `cifar_resnet20`.
        spatial_dims: 2 for [B, C, X, Y], 3 for [B, C, X, Y, Z].
        width: Factor on all numbers of channels.
        stem: `imagenet` steps by 4, `convolution` keeps the image's size. Default: as in the paper.
        norm: Normalisation beside each convolution; `batch` in the papers.
        norm_groups: Groups of the group norm.
        activation: Non-linearity; `relu` in the papers.
        dropout: Probability with which a whole channel is dropped behind each convolution of a branch.
        residual: What residual units have beside the encoder's own order and shortcut.
        init: Initial weights; `_zero` starts every residual branch at zero.

    Raises:
        ValueError: If an argument does not fit; names it and what was expected.
    """

    answers = "classes"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        encoder: str = "resnet50",
        spatial_dims: int = 2,
        width: float = 1.0,
        stem: Stem | None = None,
        norm: Norm = "batch",
        norm_groups: int = 8,
        activation: Activation = "relu",
        dropout: float = 0.0,
        residual: ResidualOptions = ResidualOptions(),  # noqa: B008 -- frozen
        init: Init = "he",
    ) -> None:
        super().__init__()
        style = Style(spatial_dims, norm, norm_groups, activation, dropout=dropout)
        self.encoder = make_encoder(
            encoder, style, in_channels, options=residual, width=width, stem=stem, pyramid=False
        )
        self.head = nn.Linear(self.encoder.channels[-1], out_channels)
        initialize(self, init, style.slope)

    def forward(self, image: Tensor) -> Tensor:
        """Map images [B, C, *S] to logits [B, K].

        Raises:
            ValueError: If the number of axes is another one.
        """
        check_axes(image, self.spatial_dims)
        features = self.encoder(image.contiguous(memory_format=CHANNELS_LAST[image.ndim - 2]))[-1]
        logits: Tensor = self.head(features.flatten(2).mean(dim=2))
        return logits
