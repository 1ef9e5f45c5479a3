"""What the numbers say about a claim; nothing here knows what the literature says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How what was seen stands to a claim."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    NOT_CLEAR = "not clear within the spread"


@dataclass(frozen=True)
class Verdict:
    """A claim, what became of it, and the numbers that say so."""

    claim: str
    outcome: Outcome
    seen: str


def higher(first: Sequence[float], second: Sequence[float], floor: float = 0.0) -> Outcome:
    """Judge the claim that the first is higher.

    Args:
        first: One value for each seed.
        second: The same of what it is compared with.
        floor: A difference that is no larger may be chance.

    Returns:
        Agreement where every seed of the first lies above every seed of the second, disagreement where all lie
        below, by more than the floor.
    """
    if not _all_finite(first, second):
        return Outcome.NOT_CLEAR
    if min(first) - max(second) > floor:
        return Outcome.AGREES
    return Outcome.DISAGREES if min(second) - max(first) > floor else Outcome.NOT_CLEAR


def not_higher(first: Sequence[float], second: Sequence[float], floor: float = 0.0) -> Outcome:
    """Judge the claim that the first is no higher.

    Returns:
        Disagreement where every seed of the first lies above every seed of the second by more than the floor,
        agreement where the mean is no higher.
    """
    if not _all_finite(first, second):
        return Outcome.NOT_CLEAR
    if higher(first, second, floor) is Outcome.AGREES:
        return Outcome.DISAGREES
    return Outcome.AGREES if mean(first) <= mean(second) else Outcome.NOT_CLEAR


def every(shown: Sequence[bool]) -> Outcome:
    """Judge a claim that each seed shows or does not show."""
    if not shown or any(shown) != all(shown):
        return Outcome.NOT_CLEAR
    return Outcome.AGREES if all(shown) else Outcome.DISAGREES


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Write a mean, and the lowest and highest value where there are several."""
    if not _all_finite(values):
        return "not finite"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _all_finite(*groups: Sequence[float]) -> bool:
    return all(values and all(map(math.isfinite, values)) for values in groups)
