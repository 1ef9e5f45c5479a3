"""Fitting the map from scores to probabilities: isotonic regression and temperature scaling."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.calibration import Calibration, Kind

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

# Below these numbers of points the curve would follow single joints.
ISOTONIC_POINTS, TEMPERATURE_POINTS = 100, 20
# A level of the curve rests on at least this many points, and there are at most so many levels before pooling.
_LEVEL_POINTS, _LEVELS = 10, 50
# Where the curve of a temperature is sampled; straight lines between are within 0.01 of it.
_SAMPLES = 33


def fit_calibration(
    scores: NDArray[np.floating] | Sequence[float],
    correct: NDArray[np.generic] | Sequence[bool],
    kind: Kind = "isotonic",
    *,
    warn: bool = True,
) -> Calibration:
    """Fit the probability that a joint is right to its score.

    "isotonic" is the rising step curve of least squares (Zadrozny and Elkan, KDD 2002). "temperature" is a logistic
    curve over the score's log-odds with a temperature and a shift (Platt 1999; Guo and others, ICML 2017, section
    4.2). With too few points the next simpler kind is taken, which the note says.

    Args:
        scores: One per joint, the heatmap's maximum [N]; joints without a finite score are left out.
        correct: Whether the joint was found where it is [N].
        kind: What is asked for.
        warn: Whether the log says so too, if a simpler kind is taken.

    Raises:
        ValueError: If the lengths differ or the kind is unknown.
    """
    if kind not in ("isotonic", "temperature", "none"):
        raise ValueError(f"calibration: expected isotonic, temperature or none, found {kind!r}")
    x, y = np.asarray(scores, np.float64).ravel(), np.asarray(correct).ravel().astype(np.float64)
    if len(x) != len(y):
        raise ValueError(f"calibration: expected as many outcomes as scores, found {len(y)} and {len(x)}")
    x, y = x[np.isfinite(x)], y[np.isfinite(x)]
    chosen, why = _possible(kind, x, y)
    if why and warn:
        logger.warning("calibration: %s", why)
    if chosen == "none":
        return Calibration(note=f"not calibrated: the score itself{'; ' + why if why else ''}")
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    points = _isotonic(x, y) if chosen == "isotonic" else _temperature(x, y)
    note = f"{chosen} fit to {len(x)} joints, {int(y.sum())} of them right{'; ' + why if why else ''}"
    return Calibration(chosen, _anchored(points), note)


def _possible(kind: Kind, x: Array, y: Array) -> tuple[Kind, str]:
    """Return the kind that the points allow, and why it is not the one asked for."""
    if kind == "none" or (kind == "isotonic" and len(x) >= ISOTONIC_POINTS and x.max() > 0):
        return kind, ""
    least = ISOTONIC_POINTS if kind == "isotonic" else TEMPERATURE_POINTS
    found = f"expected at least {least} joints with a score for {kind}, found {len(x)}"
    if len(x) >= TEMPERATURE_POINTS and 0 < y.sum() < len(y) and x.max() > 0:
        return "temperature", "" if kind == "temperature" else f"{found}: a temperature is fitted instead"
    if len(x) >= TEMPERATURE_POINTS:
        found = f"expected right and wrong joints and scores above 0 for {kind}, found {int(y.sum())} of {len(y)} right"
    return "none", f"{found}: the score itself is used"


def _isotonic(x: Array, y: Array) -> Array:
    """Return points [P, 2] of the rising curve through sorted scores and outcomes of 0 and 1.

    A level of n points, k of them right, stands at (k + 0.5) / (n + 1), so that no number of points is certainty.
    """
    levels = max(1, min(_LEVELS, len(x) // _LEVEL_POINTS))
    starts = np.unique(np.linspace(0, len(x), levels, endpoint=False).astype(int))
    # Equal scores belong to one level.
    starts = np.unique(np.searchsorted(x, x[starts], side="left"))
    ends = np.append(starts[1:], len(x))
    right, count = np.add.reduceat(y, starts), (ends - starts).astype(np.float64)
    points = []
    for first, last in _pool(right, count):
        level = _level(right[first:last].sum(), count[first:last].sum())
        points += [(x[starts[first]], level), (x[ends[last - 1] - 1], level)]
    return np.array(points)


def _pool(right: Array, count: Array) -> list[tuple[int, int]]:
    """Pool adjacent violators: return ranges of neighbours whose levels rise from each to the next."""
    blocks: list[tuple[int, int, float, float]] = []
    for index in range(len(right)):
        blocks.append((index, index + 1, float(right[index]), float(count[index])))
        while len(blocks) > 1 and _level(*blocks[-2][2:]) >= _level(*blocks[-1][2:]):
            (_, last, hits, total), (first, _, before, earlier) = blocks.pop(), blocks.pop()
            blocks.append((first, last, before + hits, earlier + total))
    return [(first, last) for first, last, _, _ in blocks]


def _level(right: float, count: float) -> float:
    return (right + 0.5) / (count + 1)


def _temperature(x: Array, y: Array) -> Array:
    """Return points [P, 2] of the logistic curve over the log-odds of the scores, of the greatest likelihood."""
    from scipy.optimize import minimize

    odds = _log_odds(x)
    # Platt's targets keep the likelihood bounded where scores part right from wrong.
    right = y.sum()
    target = np.where(y > 0, (right + 1) / (right + 2), 1 / (len(y) - right + 2))

    def loss(parameters: Array) -> tuple[float, Array]:
        z = odds / np.exp(parameters[0]) + parameters[1]
        slope = 1 / (1 + np.exp(-z)) - target
        value = float((np.logaddexp(0, z) - target * z).mean())
        return value, np.array([-(slope * odds).mean() / np.exp(parameters[0]), slope.mean()])

    # The temperature is above 0, so its logarithm is what is sought.
    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-3.0, 5.0), (-20.0, 20.0)]).x
    at = np.unique(np.linspace(x[0], x[-1], _SAMPLES))
    return np.column_stack([at, 1 / (1 + np.exp(-(_log_odds(at) / np.exp(found[0]) + found[1])))])


def _log_odds(scores: Array) -> Array:
    inside = np.clip(scores, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)))


def _anchored(points: Array) -> tuple[tuple[float, float], ...]:
    """Let the curve start with probability 0 at score 0, and keep one point per score."""
    kept = [(0.0, 0.0)]
    for score, probability in points:
        if score > kept[-1][0]:
            kept.append((float(score), float(np.clip(probability, 0, 1))))
    return tuple(kept)
