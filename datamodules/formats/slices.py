"""The slices of a folder in order, none of them missing.

The numbers of the names are taken for whole ones above 0. What may be meant otherwise is refused:

- a decimal point or comma between digits, where the digits behind it are not equally many in all names
  (0.5 comes after 0.25, but 5 before 25; numbers with several points count as chapters, whose order is natural);
- a minus sign in front of a number, at the name's beginning or behind anything but a letter or digit (z_-5);
- a minus behind a letter (slice-30), which may be a dash, unless the numbers are whole, go up by steps of 1 and begin
  with 0 or 1 or a padding zero (slice-1, slice-07): then it is a dash. Behind a digit it always is one (2020-01-31).
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from datamodules.formats.base import is_named
from datamodules.formats.errors import DataError

log = logging.getLogger(__name__)

_NUMBERS = re.compile(r"([0-9]+)")
_SIGNED = re.compile(
    r"(?<![0-9])(?:(?<![^\W_])(?P<sign>[-\u2212])|(?P<dash>[-\u2212]))?(?P<number>[0-9]+(?:[.,][0-9]+)*)"
)
_ROUNDED = 10  # from this step on, numbers may be rounded positions
_SHOWN = 5  # names that a message lists


def slice_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the images of a folder in the natural order of their names: slice2 comes before slice10.

    Args:
        folder: Its sub-folders and hidden files are not looked into.
        suffixes: Of images.

    Raises:
        DataError: The images are of several formats, two have the same number, one is missing between others, or
            the numbers may be decimal or negative ones.
    """
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    files = sorted((path for path in entries if is_named(path, suffixes) and not path.is_dir()), key=_natural)
    kinds = Counter(path.suffix.lower() for path in files)
    if len(kinds) > 1:
        found = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        raise DataError(folder, "slices of one format", found, "keep one of them in the folder")
    if passed := sorted({path.name for path in entries} - {path.name for path in files}):
        log.info("%s: passed over %d other entries: %s", folder, len(passed), ", ".join(passed[:_SHOWN]))
    _check_numbers(folder, files)
    return files


def _check_numbers(folder: Path, files: list[Path]) -> None:
    """Refuse names that leave the order open, and a gap between numbers that otherwise go up by equal steps."""
    parts = [_NUMBERS.split(path.stem) for path in files]
    if len(files) < 2 or all(len(part) == 1 for part in parts):
        return  # words alone are in the order of the alphabet
    columns: list[tuple[int, ...]] = []
    if len({tuple(part[::2]) for part in parts}) == 1:
        columns = list(zip(*(tuple(map(int, part[1::2])) for part in parts), strict=True))
        _check_signs(folder, files)
    counting = [column for column in columns if all(after > before for before, after in pairwise(column))]
    if not counting:
        found = ", ".join(path.name for path in files[:_SHOWN])
        expected = "names that differ in the slice's number alone, each number once"
        raise DataError(folder, expected, found, "rename the slices, or move other images out of the folder")
    gaps = [_first_gap(column) for column in counting]
    if None not in gaps and gaps[0] is not None:
        found = f"none between {files[gaps[0]].name} and {files[gaps[0] + 1].name}"
        raise DataError(folder, "slices without a gap in their numbers", found, "add what is missing, or renumber")


def _check_signs(folder: Path, files: list[Path]) -> None:
    """Refuse decimal and negative numbers that whole ones above 0 would not order as they are meant."""
    for matches in zip(*(_SIGNED.finditer(path.stem) for path in files), strict=True):
        texts = [match["number"] for match in matches]
        pieces = [re.split("[.,]", text) for text in texts]
        is_decimal = {len(piece) for piece in pieces} == {2}
        if len(set(texts)) == 1:
            continue
        if is_decimal and len({len(fraction) for _, fraction in pieces}) > 1:
            _refuse(folder, files, "whole numbers", "decimal numbers of unequal length")
        if matches[0]["sign"] or (matches[0]["dash"] and not _counts_up(texts)):
            _refuse(folder, files, "numbers of 0 and above", "what may be negative numbers")


def _counts_up(texts: list[str]) -> bool:
    """Tell whether numbers are whole and go up by 1 from 0 or 1, or from a number that is padded with zeros."""
    if not all(text.isdecimal() for text in texts):
        return False
    numbers = sorted({int(text) for text in texts})
    return min(after - before for before, after in pairwise(numbers)) == 1 and (
        numbers[0] <= 1 or any(text.startswith("0") for text in texts)
    )


def _refuse(folder: Path, files: list[Path], expected: str, found: str) -> NoReturn:
    names = ", ".join(path.name for path in files[:_SHOWN])
    remedy = "number the slices in order with whole numbers padded with zeros: slice_001, slice_002"
    raise DataError(folder, f"{expected} in the names of slices", f"{found}: {names}", remedy)


def _first_gap(numbers: tuple[int, ...]) -> int | None:
    """Return where the first gap is in numbers that go up by one step or multiples of it, None where there is none."""
    steps = [after - before for before, after in pairwise(numbers)]
    step = min(steps)
    slack = 1 if step >= _ROUNDED else 0  # positions such as 33, 67 and 100 are rounded
    times = [round(found / step) for found in steps]
    if any(abs(found - count * step) > count * slack for found, count in zip(steps, times, strict=True)):
        return None  # these count nothing
    return next((place for place, count in enumerate(times) if count > 1), None)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Compare words as words and numbers as numbers."""
    parts = _NUMBERS.split(path.stem)
    return [(int(part), "") if place % 2 else (0, part.casefold()) for place, part in enumerate(parts)], path.name
