"""Losses on heatmaps: masked squared error on every stack, with the hardest joints mined on the last."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from datamodules.heatmaps import HeatmapTargets

Targets = HeatmapTargets | Callable[[tuple[int, int]], HeatmapTargets]


class HeatmapLoss(nn.Module):
    """Squared error of heatmaps over labelled joints, as a mean over all outputs.

    A cell weighs `1 + positive_weight * target`. A map's errors are summed over its cells and divided by what an empty
    map costs where a Gaussian lies in full: so an empty map costs 1 whatever the maps' size, the Gaussian's width and
    the positive weight, while a mean over cells would be some 0.003, nearly all of it background. The maps' losses are
    averaged over the labelled joints of the batch. If there is none, the loss is exactly 0 and has a gradient of
    zeros. Everything is computed in float32, whatever the outputs are.

    Args:
        positive_weight: Extra weight of a cell on which a joint lies; above 0 it keeps maps from collapsing to zero.
        hard_joints: On the last output, only as many of each sample's labelled joints count, those with the largest
            loss; all of them where there are fewer. None counts all.
        sigma: Deviation of the targets' Gaussian in cells, for the loss's scale alone.

    Raises:
        ValueError: If an argument does not fit.

    Source: Newell et al. 2016, section 3.2, for the loss on every stack; Chen et al. 2018, Cascaded Pyramid Network,
    section 3.2, for the mining of hard keypoints.
    """

    def __init__(self, positive_weight: float = 0.0, hard_joints: int | None = None, sigma: float = 2.0) -> None:
        super().__init__()
        if not (math.isfinite(positive_weight) and positive_weight >= 0):
            raise ValueError(f"positive_weight: expected a number from 0 on, found {positive_weight}")
        if hard_joints is not None and hard_joints < 1:
            raise ValueError(f"hard_joints: expected at least 1, or null for all joints, found {hard_joints}")
        if not (math.isfinite(sigma) and sigma > 0):
            raise ValueError(f"sigma: expected a number of cells above 0, found {sigma}")
        self.positive_weight = positive_weight
        self.hard_joints = hard_joints
        # The integrals of a Gaussian's square and cube: what an empty map costs.
        self._empty = math.pi * sigma**2 * (1 + positive_weight * 2 / 3)

    def forward(self, outputs: Sequence[Tensor], targets: Targets) -> Tensor:
        """Return the loss, a scalar.

        Args:
            outputs: [B, K, h, w] of each stack, the answer last; their sizes may differ.
            targets: Those of all outputs, or what makes them for maps of a width and height; it is called once for
                each size.

        Raises:
            ValueError: If there is no output, or outputs and targets do not fit each other.
        """
        if not outputs:
            raise ValueError("outputs: expected at least one set of heatmaps, found none")
        made: dict[tuple[int, int], HeatmapTargets] = {}
        losses = []
        for stack, output in enumerate(outputs):
            size = (output.shape[3], output.shape[2])
            if size not in made:
                made[size] = targets if isinstance(targets, HeatmapTargets) else targets(size)
            _check(output, made[size])
            each = self.of_joints(output, made[size])
            hard = self.hard_joints if stack == len(outputs) - 1 else None
            losses.append(_mean_of_labelled(each, made[size].weight, hard))
        return torch.stack(losses).mean()

    def of_joints(self, output: Tensor, targets: HeatmapTargets) -> Tensor:
        """Return each map's loss [B, K], unlabelled ones as 0."""
        # Autocast leaves these operations in the type of their inputs.
        error = (output.float() - targets.maps).square()
        if self.positive_weight:
            error = error * (1.0 + self.positive_weight * targets.maps)
        return error.sum((2, 3)) / self._empty * targets.weight


def _mean_of_labelled(each: Tensor, weight: Tensor, hard: int | None) -> Tensor:
    if hard is not None and hard < each.shape[1]:
        # Unlabelled joints come last: no loss is below 0.
        place = torch.where(weight > 0, each.detach(), -1.0).topk(hard, dim=1).indices
        each, weight = each.gather(1, place), weight.gather(1, place)
    return each.sum() / weight.sum().clamp(min=1.0)


def _check(output: Tensor, targets: HeatmapTargets) -> None:
    if output.shape != targets.maps.shape or targets.weight.shape != output.shape[:2]:
        raise ValueError(
            f"targets: expected maps {list(output.shape)} and weights {list(output.shape[:2])} as the output has, "
            f"found {list(targets.maps.shape)} and {list(targets.weight.shape)}"
        )


def flat_joints(maps: Tensor, weight: Tensor, least: float = 0.1) -> Tensor:
    """Return which joints' maps went flat [K], bool, on the maps' device.

    A map is flat where its maximum stands out of its mean by less than `least`; the targets' stand out by nearly 1.
    A joint is reported where all its maps are flat that count, and there is one.

    Args:
        maps: The network's [B, K, h, w].
        weight: Above 0 for the maps that count [B, K]: `HeatmapTargets.in_view`, as a joint out of view rightly has
            a flat one.
        least: The limit, as a part of the height of a target.
    """
    wide = maps.detach().float()
    counts = weight > 0
    flat = wide.amax((2, 3)) - wide.mean((2, 3)) < least
    return (flat | ~counts).all(0) & counts.any(0)


def all_flat(maps: Tensor, weight: Tensor, least: float = 0.1) -> Tensor:
    """Return whether the maps of all joints went flat, a bool scalar; see `flat_joints`."""
    counted = (weight > 0).any(0)
    return (flat_joints(maps, weight, least) | ~counted).all() & counted.any()
