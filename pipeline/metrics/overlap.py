"""Overlap and volume of two masks: Dice, IoU and volume error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from datamodules.labels import LabelSet

if TYPE_CHECKING:  # `pipeline evaluate` has no other need of torch
    from torch import Tensor

Mask = npt.NDArray[np.bool_]
MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Overlap:
    """Hold the voxel counts of one structure in a prediction and its reference.

    Attributes:
        common: Voxels in both.
        prediction: Voxels in the prediction.
        reference: Voxels in the reference.
    """

    common: int
    prediction: int
    reference: int

    @property
    def both_empty(self) -> bool:
        """Tell whether there is nothing to compare."""
        return self.prediction == 0 and self.reference == 0

    @property
    def dice(self) -> float | None:
        """Return the Dice coefficient, 0 for a missed or an invented structure, None if both are empty."""
        return None if self.both_empty else 2 * self.common / (self.prediction + self.reference)

    @property
    def iou(self) -> float | None:
        """Return intersection over union (Jaccard), None if both are empty."""
        return None if self.both_empty else self.common / (self.prediction + self.reference - self.common)

    def volume_error_ml(self, spacing_mm: tuple[float, float, float]) -> float:
        """Return the predicted volume less the reference volume, in ml."""
        return (self.prediction - self.reference) * math.prod(spacing_mm) / MM3_PER_ML

    def reference_ml(self, spacing_mm: tuple[float, float, float]) -> float:
        """Return the volume of the reference in ml."""
        return self.reference * math.prod(spacing_mm) / MM3_PER_ML

    @property
    def volume_error_relative(self) -> float | None:
        """Return the volume error as a share of the reference volume, None where that is 0."""
        return (self.prediction - self.reference) / self.reference if self.reference else None


def overlap(prediction: Mask, reference: Mask) -> Overlap:
    """Count the voxels of two masks [X, Y, Z] of one shape.

    Raises:
        ValueError: If the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"masks of one shape expected, got {prediction.shape} and {reference.shape}")
    count = np.count_nonzero
    return Overlap(int(count(prediction & reference)), int(count(prediction)), int(count(reference)))


def dice_per_class(prediction: Tensor, reference: Tensor, labels: LabelSet) -> dict[str, float]:
    """Return the Dice coefficient of each foreground structure that either side holds.

    Args:
        prediction: Class indices [1, *S], or masks [K, *S] of overlapping structures.
        reference: The same of the reference.
        labels: The structures.

    Returns:
        By name, 0 for what is missed or invented; a structure that is absent from both is left out.

    Raises:
        ValueError: If the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"labels of one shape expected, got {prediction.shape} and {reference.shape}")
    scores: dict[str, float] = {}
    for channel, name in zip(labels.foreground_indices, labels.names, strict=True):
        p, r = (t[channel] != 0 if labels.overlapping else t == channel for t in (prediction, reference))
        dice = Overlap(int((p & r).sum()), int(p.sum()), int(r.sum())).dice
        if dice is not None:
            scores[name] = dice
    return scores


def error_rate(prediction: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """Return the share of voxels whose label is wrong (the "pixel error" of the ISBI 2012 challenge).

    Args:
        prediction: Class indices [X, Y, Z], or masks [K, X, Y, Z], where any wrong mask makes a voxel wrong.
        reference: The same of the reference.

    Raises:
        ValueError: If the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"labels of one shape expected, got {prediction.shape} and {reference.shape}")
    wrong = prediction != reference
    return float(np.mean(wrong.any(axis=0) if wrong.ndim == 4 else wrong))
