"""The group of a sample, as a patient or an animal, found in its name by a pattern."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from datamodules.case_names import name_key
from datamodules.formats.errors import DataError


class Grouped(Protocol):
    """What has a name, and a group that is never parted."""

    @property
    def id(self) -> str:
        """Return its name, unique in the data set."""

    @property
    def group(self) -> str:
        """Return what it shares with others, as a patient, a video or an image."""


def search_group(pattern: str, names: Sequence[str], source: Path | str) -> str:
    """Return the pattern's first group in the first of the names that has it.

    Args:
        pattern: A regular expression with one group, from `data.split.group_pattern`.
        names: What a sample is called, its id first.
        source: The file that an error shall name.

    Raises:
        DataError: If the pattern is none, has no group, or finds none in the names.
    """
    try:
        matches = (re.search(pattern, name) for name in names)
        group = next((match.group(1) for match in matches if match and match.group(1)), None)
    except (re.error, IndexError) as error:
        raise DataError(
            Path("data.split.group_pattern"),
            expected="a regular expression with one group",
            found=f"{pattern!r}: {error}",
            remedy=r"mend it, for example '(.+)_\d+'",
        ) from error
    if not group:
        raise DataError(
            source,
            expected=f"a name that data.split.group_pattern {pattern!r} finds a group in",
            found=names[0],
            remedy="widen the pattern, so that every sample has its group",
        )
    return str(group)


def note_alike(cases: Iterable[Grouped]) -> tuple[str, ...]:
    """Return a sentence for each set of groups that differ by upper and lower case or accents' encoding alone."""
    spellings: dict[str, dict[str, str]] = {}
    for case in cases:
        spellings.setdefault(name_key(case.group), {}).setdefault(case.group, case.id)
    return tuple(
        f"the groups {', '.join(f'{group!r} (as of {id_})' for group, id_ in sorted(found.items()))} may be one "
        "patient: spell them alike, so that they are never parted"
        for found in spellings.values()
        if len(found) > 1
    )
