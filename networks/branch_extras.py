"""What may stand at the end of a residual branch: squeeze-and-excitation, a learnable scale, stochastic depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from networks.layers import Style, make_activation, make_convolution


class SqueezeExcitation(nn.Module):
    """Weigh each channel by a gate that sees the mean of all of them (Hu et al. 2018, section 3).

    Args:
        style: Dimensions and activation.
        channels: Channels of the features.
        reduction: How many times narrower the gate's hidden layer is.
    """

    def __init__(self, style: Style, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.gate = nn.Sequential(
            make_convolution(style, channels, hidden, style.one, style.one, bias=True),
            make_activation(style.activation),
            make_convolution(style, hidden, channels, style.one, style.one, bias=True),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Scale [B, C, *S] by channel."""
        squeezed = features.mean(dim=tuple(range(2, features.ndim)), keepdim=True)
        output: Tensor = features * self.gate(squeezed)
        return output


class BranchScale(nn.Module):
    """Multiply by one learnable number (De and Smith 2020, SkipInit; Bachlechner et al. 2020, ReZero)."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([float(start)]))

    def forward(self, features: Tensor) -> Tensor:
        """Scale [B, C, *S]."""
        return features * self.scale.to(features.dtype)  # a float32 number would widen features of mixed precision


class StochasticDepth(nn.Module):
    """Drop a branch for some samples in training; at test time use its expectation.

    Source: Huang et al. 2016, Deep Networks with Stochastic Depth, equations 2 and 5; there for a whole batch at once.

    Args:
        survival: Probability with which a sample keeps its branch.
    """

    def __init__(self, survival: float) -> None:
        super().__init__()
        self.survival = survival

    def forward(self, features: Tensor) -> Tensor:
        """Keep or zero each sample of [B, C, *S]; in evaluation scale all by the survival probability."""
        if not self.training:
            return features * self.survival
        shape = (len(features), *[1] * (features.ndim - 1))
        return features * torch.rand(shape, device=features.device).lt(self.survival).to(features.dtype)

    def extra_repr(self) -> str:
        """Show the probability in the network's printed form."""
        return f"survival={self.survival:.3f}"


def survivals(last: float, form: str, units: int) -> list[float]:
    """Return the survival probability of each unit of a network, first to last.

    Args:
        last: Probability of the last unit.
        form: `linear` falls from nearly 1 to `last` with depth, `uniform` is `last` throughout.
        units: Number of units.

    Source: Huang et al. 2016, section 3, "the survival probabilities".
    """
    if form == "uniform":
        return [last] * units
    return [1.0 - (unit + 1) / units * (1.0 - last) for unit in range(units)]
