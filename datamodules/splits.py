"""Which cases train and which validate: folds by group, from a seed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from datamodules.formats.errors import DataError


class Grouped(Protocol):
    """What can be split: it has a name, and a group that is never parted."""

    @property
    def id(self) -> str:
        """Return its name, unique in the data set."""

    @property
    def group(self) -> str:
        """Return what it shares with others, as a patient, a video or an image."""


@dataclass
class SplitChoice:
    """Which cases validate.

    Args:
        fold: Which of the folds.
        folds: Number of folds.
        seed: Seed of the order in which patients are dealt out.
        group_pattern: Regular expression whose first group, found in a case's name, is its patient.
    """

    fold: int = 0
    folds: int = 5
    seed: int = 0
    group_pattern: str | None = None

    def __post_init__(self) -> None:
        if self.folds < 2 or not 0 <= self.fold < self.folds:
            raise ValueError(
                f"data.split: expected at least 2 folds and a fold from 0 on below them, found fold {self.fold} of "
                f"{self.folds}"
            )


@dataclass(frozen=True)
class Split:
    """The ids of a fold's training and validation cases, each sorted."""

    train: tuple[str, ...]
    validation: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {"train": list(self.train), "validation": list(self.validation)}


def split_cases(cases: Sequence[Grouped], *, fold: int, folds: int, seed: int) -> Split:
    """Split cases into `folds` parts by group and hold out part `fold`.

    The order of groups is that of a hash of seed and name: it depends neither on the order of files nor on
    the version of a random generator. Each group joins the part with the fewest cases.

    Args:
        cases: All cases; those of one group stay together.
        fold: The part that validates, from 0.
        folds: Number of parts, at least 2.
        seed: Another seed gives another split.

    Raises:
        DataError: If there are fewer groups than folds, or no such fold.
    """
    groups: dict[str, list[str]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case.id)
    _check(fold, folds, len(groups))
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).digest())
    parts: list[list[str]] = [[] for _ in range(folds)]
    for group in order:
        min(parts, key=len).extend(groups[group])
    train = [case_id for index, part in enumerate(parts) if index != fold for case_id in part]
    return Split(train=tuple(sorted(train)), validation=tuple(sorted(parts[fold])))


def _check(fold: int, folds: int, groups: int) -> None:
    if folds < 2 or not 0 <= fold < folds:
        raise DataError(
            Path("data.split.fold"),
            expected="at least 2 folds, and a fold from 0 to folds - 1",
            found=f"fold {fold} of {folds}",
            remedy="set data.split.fold and data.split.folds",
        )
    if groups < folds:
        raise DataError(
            Path("data.split.folds"),
            expected=f"at least one group (patient) for each of {folds} folds",
            found=f"{groups} group(s)",
            remedy="lower data.split.folds, add cases, or check data.split.group_pattern",
        )
