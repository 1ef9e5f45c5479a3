"""One hourglass: features are pooled down and raised again, with a way across at every resolution."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from networks.layers import MAX_POOL


class HourglassStack(nn.Module):
    """Pool features `depth` times, raise them again, and add at each resolution what went across.

    Source: Newell et al. 2016, Stacked Hourglass Networks, section 3.1 and figure 3: units on every way, nearest
    neighbours for raising, addition for joining.

    Args:
        make_units: Makes the units of one position, which keep channels and size; called 3 * depth + 1 times, the
            coarser the later on the way down, the finer the later on the way up.
        spatial_dims: 2 or 3.
        depth: Number of poolings.
    """

    def __init__(self, make_units: Callable[[], nn.Module], spatial_dims: int, depth: int) -> None:
        super().__init__()
        self.pool = MAX_POOL[spatial_dims](2)
        self.across, self.down, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for _ in range(depth):
            self.across.append(make_units())
            self.down.append(make_units())
        self.bottom = make_units()
        self.up.extend(make_units() for _ in range(depth))

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, C, *S] to [B, C, *S]; S must be a multiple of 2 ** depth."""
        kept: list[Tensor] = []
        for across, down in zip(self.across, self.down, strict=True):
            kept.append(across(features))
            features = down(self.pool(features))
        features = self.bottom(features)
        for up in self.up:
            raised = F.interpolate(up(features), scale_factor=2.0, mode="nearest")
            features = raised.add_(kept.pop())  # in place: memory traffic is what costs
        return features
