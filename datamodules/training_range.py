"""What a model has seen in training, and whether a new image lies outside of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from datamodules.formats.volume import Volume
from datamodules.geometry import to_canonical
from datamodules.integrity.facts import CaseFacts

PERCENTILES = (0.5, 99.5)
_MAX_VOXELS = 500_000  # a percentile of this many is exact enough
_SPACING_FACTOR = 1.25  # beyond the spacings of training by more than this is new
_INTENSITY_SHARE = 0.25  # beyond the limits of training by more than this share of their range is new


def intensity_limits(volume: Volume) -> tuple[tuple[float, float], ...]:
    """Return the 0.5 and 99.5 percentile of each channel's finite voxels."""
    limits = []
    for channel in volume.array:
        step = max(1, channel.size // _MAX_VOXELS)
        values = channel.reshape(-1)[::step]
        low, high = np.percentile(values[np.isfinite(values)], PERCENTILES)
        limits.append((float(low), float(high)))
    return tuple(limits)


def training_range(training: Sequence[CaseFacts]) -> dict[str, Any]:
    """Return what the training cases span, as a JSON-able dictionary.

    `spacing_mm` has the smallest and largest spacing along canonical X, Y, Z; `intensity` has for each
    channel the range of the cases' 0.5 percentiles (`low`) and of their 99.5 percentiles (`high`).
    """
    spacing = np.array([facts.spacing_mm for facts in training])
    limits = np.array([facts.limits for facts in training])  # [case, channel, low or high]
    smallest, largest = limits.min(axis=0), limits.max(axis=0)
    return {
        "spacing_mm": np.stack([spacing.min(axis=0), spacing.max(axis=0)], axis=1).tolist(),
        "intensity": [
            {"low": [below[0], above[0]], "high": [below[1], above[1]]}
            for below, above in zip(smallest.tolist(), largest.tolist(), strict=True)
        ],
    }


def outside_training_range(volume: Volume, seen: Mapping[str, Any]) -> list[str]:
    """Say in what a volume lies clearly outside of what was seen in training.

    Args:
        volume: An image `[C, X, Y, Z]`.
        seen: What `training_range` returned.

    Returns:
        One sentence for each finding; none when the volume is like those of training.
    """
    findings = []
    for axis, spacing, (low, high) in zip("XYZ", to_canonical(volume).spacing_mm, seen["spacing_mm"], strict=True):
        if not low / _SPACING_FACTOR <= spacing <= high * _SPACING_FACTOR:
            findings.append(f"spacing of {spacing:.3g} mm along {axis}, in training {low:.3g} to {high:.3g} mm")
    pairs = zip(intensity_limits(volume), seen["intensity"], strict=True)
    for channel, (limits, known) in enumerate(pairs):
        margin = _INTENSITY_SHARE * (known["high"][1] - known["low"][0])
        for name, value in zip(("low", "high"), limits, strict=True):
            low, high = known[name]
            if not low - margin <= value <= high + margin:
                findings.append(
                    f"{name} intensities of channel {channel} at {value:.4g}, in training {low:.4g} to {high:.4g}"
                )
    return findings
