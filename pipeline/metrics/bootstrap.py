"""Means over cases and their bootstrap intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """Hold a mean and its confidence interval.

    Attributes:
        mean: Mean of the scores that exist.
        lower: Lower end of the interval.
        upper: Upper end of the interval.
        count: Number of scores in the mean.
    """

    mean: float
    lower: float
    upper: float
    count: int

    def to_dict(self) -> dict[str, float | int]:
        """Return the four numbers by name."""
        return asdict(self)


def draw_resamples(cases: int, *, resamples: int = 5000, seed: int = 0) -> Counts:
    """Draw how often each case stands in each bootstrap sample, [resamples, cases].

    Drawn once and used for every metric, so that intervals of one table rest on the same samples.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(cases, np.full(cases, 1 / cases), size=resamples)


def mean_interval(scores: Scores, resamples: Counts, *, confidence: float = 0.95) -> Interval | None:
    """Return the mean over columns of each column's mean over cases, and its percentile interval.

    Cases are what is drawn again (Efron and Tibshirani, An Introduction to the Bootstrap, section 13.3): the
    structures of one case stay together, as they are not independent.

    Args:
        scores: One row per case, one column per structure [N, K], or [N]; NaN where there is no score.
        resamples: Counts [B, N] of `draw_resamples`.
        confidence: Share of the bootstrap means within the interval.

    Returns:
        The interval, or None where there is no score at all.
    """
    table = scores.reshape(len(scores), -1)
    exists = np.isfinite(table)
    if not exists.any():
        return None
    values = np.where(exists, table, 0.0)
    means = _column_mean(np.asarray(resamples @ values, np.float64), resamples @ exists.astype(np.int64))
    low, high = np.percentile(means, (50 * (1 - confidence), 50 * (1 + confidence)))
    mean = _column_mean(values.sum(axis=0, keepdims=True), exists.sum(axis=0, keepdims=True))[0]
    return Interval(float(mean), float(low), float(high), int(exists.sum()))


def _column_mean(sums: Scores, counts: Counts) -> Scores:
    """Divide sums [B, K] by counts [B, K] and average what exists; rows without any score are left out."""
    filled = counts > 0
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=filled)
    rows = filled.any(axis=1)
    return np.asarray(means[rows].sum(axis=1) / filled[rows].sum(axis=1))
