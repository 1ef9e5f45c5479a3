"""The group of a sample, as a patient or an animal, found in its name by a pattern."""

import re
from collections.abc import Sequence
from pathlib import Path

from datamodules.formats.errors import DataError


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
