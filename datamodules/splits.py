"""Which cases train and which validate: folds by group, from a seed."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.case_names import name_key
from datamodules.formats.errors import DataError
from datamodules.groups import Grouped


@dataclass
class SplitChoice:
    """Which cases validate.

    Args:
        fold: Which of the folds, or of those that the data set itself states.
        folds: Number of folds.
        seed: Seed of the order in which patients are dealt out.
        group_pattern: Regular expression whose first group, found in a case's name, is its patient.
    """

    fold: int = 0
    folds: int = 5
    seed: int = 0
    group_pattern: str | None = None

    def __post_init__(self) -> None:
        # how many folds there are, the data set itself may state
        if self.folds < 2 or self.fold < 0:
            raise ValueError(
                f"data.split: expected at least 2 folds and a fold of 0 or more, found fold {self.fold} of {self.folds}"
            )


@dataclass(frozen=True)
class Split:
    """The ids of a fold's training and validation cases, each sorted."""

    train: tuple[str, ...]
    validation: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {"train": list(self.train), "validation": list(self.validation)}

    def only(self, ids: Collection[str]) -> tuple["Split", tuple[str, ...]]:
        """Return the split of some of its cases, and those that were left out."""
        train, validation = (tuple(id_ for id_ in part if id_ in ids) for part in (self.train, self.validation))
        return Split(train, validation), tuple(sorted({*self.train, *self.validation} - set(ids)))


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


def check_split(split: Split, cases: Sequence[Grouped], source: Path) -> tuple[str, ...]:
    """Check a split that the data set itself states.

    Args:
        split: Its parts.
        cases: All cases.
        source: The file that states it.

    Returns:
        What is odd about it, each as a sentence: cases that are in neither part.

    Raises:
        DataError: If it names cases that are not there, a part is empty, or a case or a group is in both; groups
            that differ by upper and lower case alone are one here.
    """
    groups = {case.id: name_key(case.group) for case in cases}
    spelt = {name_key(case.group): case.group for case in cases}
    parts = (split.train, split.validation)
    if unknown := sorted({id_ for part in parts for id_ in part} - set(groups)):
        shown = f"{len(unknown)} that are not there: {', '.join(unknown[:5])}"
        raise DataError(source, "the names of labelled cases", shown, "add these cases, or take them from the split")
    if not all(parts):
        found = f"{len(split.train)} for training and {len(split.validation)} for validation"
        raise DataError(source, "cases in both parts of the split", found, "give each part at least one case")
    members = [{groups[id_] for id_ in part} for part in parts]
    if shared := sorted(members[0] & members[1]):
        both = [f"{spelt[group]} ({', '.join(sorted(_of(group, groups, parts)))})" for group in shared[:5]]
        raise DataError(
            source,
            expected="each group (patient) in one part of the split",
            found=f"{len(shared)} in both training and validation: {'; '.join(both)}",
            remedy="move all cases of a patient to one part",
        )
    spare = sorted(set(groups).difference(*parts))
    shown = ", ".join(spare[:10]) + (" ..." if len(spare) > 10 else "")
    return (f"{source.name}: {len(spare)} case(s) neither train nor validate: {shown}",) if spare else ()


def _of(group: str, groups: Mapping[str, str], parts: Sequence[Sequence[str]]) -> set[str]:
    return {id_ for part in parts for id_ in part if groups[id_] == group}


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
