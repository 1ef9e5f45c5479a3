"""A pyramid of features: what every encoder gives, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from networks.layers import Style, normalise
from networks.units import UnitPlan, make_unit


@dataclass
class Level:
    """One level of a pyramid while it is built.

    Attributes:
        step: Step into the level, per axis.
        channels: Feature channels behind it.
        layers: What maps the level above it to this one.
        finished: Its features are normalised and activated; else that is added where they are handed out.
    """

    step: tuple[int, ...]
    channels: int = 0
    layers: list[nn.Module] = field(default_factory=list)
    finished: bool = True

    def finish(self, style: Style) -> None:
        """Normalise and activate the features for units that do not do so themselves."""
        self.layers += normalise(style, self.channels)
        self.finished = True


class Encoder(nn.Module):
    """Map an image to features at falling resolution, finest first.

    Args:
        style: What all layers have in common.
        levels: The levels, finest first.
        pyramid: Features of all levels are handed out, or those of the coarsest alone.

    Attributes:
        channels: Feature channels of each level.
        steps: Step into each level, per axis; the first is that from the image.
    """

    def __init__(self, style: Style, levels: Sequence[Level], *, pyramid: bool = True) -> None:
        super().__init__()
        self.channels = tuple(level.channels for level in levels)
        self.steps = tuple(level.step for level in levels)
        self.levels = nn.ModuleList(nn.Sequential(*level.layers) for level in levels)
        wished = [pyramid or level is levels[-1] for level in levels]
        # The layers of the next level read what is not activated yet, so that identities stay clean through it.
        self.tails = nn.ModuleList(
            nn.Sequential(*(normalise(style, level.channels) if wanted and not level.finished else ()))
            for level, wanted in zip(levels, wished, strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map images [B, C, *S] to features [B, C', *S'] of each level, with S' = S / stride, rounded up.

        Without a pyramid all levels but the last are as the next level reads them.
        """
        features = []
        for level, tail in zip(self.levels, self.tails, strict=True):
            image = level(image)
            features.append(tail(image))
        return features


def add_units(
    level: Level,
    style: Style,
    plan: UnitPlan,
    in_channels: int,
    kernel: Sequence[int],
    survival: Sequence[float],
    *,
    activated: bool = False,
) -> None:
    """Append units to a level, of which the first takes the level's step if nothing before it has.

    Args:
        level: Level with its step and channels.
        style: What all layers have in common.
        plan: Kind of unit.
        in_channels: Channels that the first unit reads.
        kernel: Kernel of the units.
        survival: Probability of each unit's branch; as many as there are units.
        activated: What the first unit reads has been normalised and activated.
    """
    stride = style.one if level.layers else level.step
    for unit, kept in enumerate(survival):
        level.layers.append(
            make_unit(
                style,
                plan,
                in_channels,
                level.channels,
                kernel,
                stride,
                survival=kept,
                activated=activated and unit == 0,
            )
        )
        in_channels, stride = level.channels, style.one
    if survival:
        level.finished = not plan.preactivates
