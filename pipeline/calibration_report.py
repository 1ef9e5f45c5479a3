"""How far a calibration can be trusted: its error and its bins on cases that it was not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.calibration import Kind
from pipeline.calibration_fit import fit_calibration

BINS = 10  # of equal width, over probabilities of 0 to 1

Array = NDArray[np.float64]


class CalibrationReport(NamedTuple):
    """How far a calibration can be trusted.

    Attributes:
        figures: JSON-able: `points`, `groups`, `share_correct`, `ece` and `brier` after calibration and `ece_score` and
            `brier_score` of the score itself (clipped to 0 to 1), `bins` of `reliability_bins`, `kinds` of the two
            fits, and `note`. With fewer than two groups `ece` and `brier` are None and there are no bins.
        held_out: The probability of each joint by the fit that did not see it [N], None with fewer than two groups.
    """

    figures: dict[str, Any]
    held_out: Array | None


def calibration_report(
    scores: NDArray[np.floating] | Sequence[float],
    correct: NDArray[np.generic] | Sequence[bool],
    groups: Sequence[str],
    kind: Kind = "isotonic",
) -> CalibrationReport:
    """Measure calibration by cross-fitting: fit on one half of the groups, measured on the other, both ways.

    Args:
        scores: One per joint, the heatmap's maximum [N].
        correct: Whether the joint was found where it is [N].
        groups: What must not lie on both sides of a fit, by joint [N]: its case, or its video.
        kind: As for `fit_calibration`.

    Raises:
        ValueError: If the lengths differ.
    """
    x, y = np.asarray(scores, np.float64).ravel(), np.asarray(correct).ravel().astype(np.float64)
    if not len(x) == len(y) == len(groups):
        raise ValueError(
            f"calibration report: expected scores, outcomes and groups of one length, "
            f"found {len(x)}, {len(y)} and {len(groups)}"
        )
    names, members = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    raw = np.clip(np.nan_to_num(x, nan=0.0), 0, 1)
    report: dict[str, Any] = {
        "points": len(x),
        "groups": len(names),
        "share_correct": float(y.mean()) if len(y) else None,
        "ece_score": expected_calibration_error(raw, y),
        "brier_score": brier_score(raw, y),
    }
    if len(names) < 2:
        note = f"not measured: expected at least two groups of cases to part, found {len(names)}"
        return CalibrationReport(report | {"ece": None, "brier": None, "kinds": [], "bins": [], "note": note}, None)
    # Dealt out in a fixed random order, as names that follow one another are often alike.
    first = np.isin(members, np.random.default_rng(0).permutation(len(names))[::2])
    probability, kinds = np.empty_like(x), []
    for measured in (first, ~first):
        # Halves may be too small for the kind that all together allow: `kinds` says so, and need not be warned of.
        fitted = fit_calibration(x[~measured], y[~measured], kind, warn=False)
        probability[measured] = fitted.apply(x[measured])
        kinds.append(fitted.kind)
    measures = {
        "ece": expected_calibration_error(probability, y),
        "brier": brier_score(probability, y),
        "kinds": kinds,
        "bins": reliability_bins(probability, y),
        "note": f"measured on the half of the {len(names)} groups that the calibration was not fitted to, both ways",
    }
    return CalibrationReport(report | measures, probability)


def reliability_bins(probability: NDArray[np.floating], correct: NDArray[np.generic]) -> list[dict[str, float]]:
    """Compare predicted and observed shares in ten bins of equal width; bins that hold nothing are left out.

    Returns:
        Per bin its `lower` and `upper` end, the mean `predicted` probability, the `observed` share and the `count`.
    """
    place = np.clip((np.asarray(probability, np.float64) * BINS).astype(int), 0, BINS - 1)
    outcome = np.asarray(correct).astype(np.float64)
    return [
        {
            "lower": index / BINS,
            "upper": (index + 1) / BINS,
            "predicted": float(probability[place == index].mean()),
            "observed": float(outcome[place == index].mean()),
            "count": int((place == index).sum()),
        }
        for index in np.unique(place)
    ]


def expected_calibration_error(probability: NDArray[np.floating], correct: NDArray[np.generic]) -> float | None:
    """Return the mean distance of predicted and observed shares over the ten bins, each by its count.

    Naeini and others (AAAI 2015), with ten bins of equal width; None without points.
    """
    bins = reliability_bins(probability, correct)
    total = sum(entry["count"] for entry in bins)
    return (
        sum(entry["count"] * abs(entry["predicted"] - entry["observed"]) for entry in bins) / total if total else None
    )


def brier_score(probability: NDArray[np.floating], correct: NDArray[np.generic]) -> float | None:
    """Return the mean squared distance of probabilities to outcomes of 0 and 1 (Brier 1950); None without points."""
    outcome = np.asarray(correct).astype(np.float64)
    return float(((np.asarray(probability, np.float64) - outcome) ** 2).mean()) if len(outcome) else None
