"""What the training cases have in common: intensities in the foreground, and a digest of their content."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.formats.errors import DataError
from datamodules.hashing import digest_of
from datamodules.integrity.facts import CaseFacts


@dataclass(frozen=True)
class ForegroundStatistics:
    """Intensities of one channel in the foreground of the training cases."""

    lower: float
    upper: float
    mean: float
    std: float


def foreground_statistics(training: Sequence[CaseFacts]) -> tuple[ForegroundStatistics, ...]:
    """Return percentiles 0.5 and 99.5, mean and deviation of each channel over all foreground samples.

    Raises:
        DataError: If no case has any foreground.
    """
    samples = [facts.samples for facts in training if facts.samples.shape[1]]
    if not samples:
        raise DataError(
            Path("data"),
            expected="labelled voxels in the training cases",
            found=f"empty masks in all {len(training)}",
            remedy="check the label files and `data.labels`",
        )
    pooled = np.concatenate(samples, axis=1).astype(np.float64)
    lower, upper = np.percentile(pooled, (0.5, 99.5), axis=1)
    rows = zip(lower, upper, pooled.mean(axis=1), pooled.std(axis=1), strict=True)
    return tuple(ForegroundStatistics(*(float(value) for value in row)) for row in rows)


def data_digest(facts: Iterable[CaseFacts]) -> str:
    """Return a SHA-256 over the sorted content hashes of the cases."""
    return digest_of(case.content for case in facts)
