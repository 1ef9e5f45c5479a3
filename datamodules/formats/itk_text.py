"""Numbers and names in the text headers of NRRD and MetaImage, read strictly."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path, PurePosixPath

from datamodules.formats.errors import DataError

MAXIMUM_HEADER = 1 << 20  # bytes; the longest that 3D Slicer writes are some ten thousand
_FLOAT = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,3})?|nan", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"\d{1,18}", re.ASCII)
_LONGEST_NAME = 255  # bytes
_LARGEST = 1e30  # squares of more could overflow
_SHOWN = 12  # names in a message
_REMEDY = "mend the header, or fetch or export the file again"


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, enough for any header.

    Raises:
        DataError: The file is empty, or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(MAXIMUM_HEADER)
    except OSError as error:
        remedy = "restore it, or check its name and permissions"
        raise DataError(path, "a readable file", str(error), remedy) from error
    if not head:
        raise DataError(path, "a header and voxels", "an empty file", "fetch or export the file again")
    return head


def floats(path: Path, field: str, text: str, number: int | None = None) -> list[float]:
    """Return the numbers of a field, as many as are expected; NaN is one, infinity is none.

    Raises:
        DataError: Something else than numbers, or another number of them.
    """
    words = text.split()
    values = [float(word) if _FLOAT.fullmatch(word) else math.inf for word in words]
    if any(abs(value) > _LARGEST for value in values) or len(words) != (number or len(words)):
        raise DataError(path, f"{field}: {number or 'some'} numbers", shown(text), _REMEDY)
    return values


def counts(path: Path, field: str, text: str, number: int | None = None) -> list[int]:
    """Return the whole numbers from 0 upwards of a field, as many as are expected.

    Raises:
        DataError: Something else than whole numbers, or another number of them.
    """
    words = text.split()
    if not all(_COUNT.fullmatch(word) for word in words) or len(words) != (number or len(words)):
        raise DataError(path, f"{field}: {number or 'some'} whole numbers", shown(text), _REMEDY)
    return [int(word) for word in words]


def one_of(path: Path, field: str, text: str, known: dict[str, str]) -> str:
    """Return what a word of a closed list stands for.

    Raises:
        DataError: The word is not on the list.
    """
    if text not in known:
        names = ", ".join(list(known)[:_SHOWN]) + (" or a like name" if len(known) > _SHOWN else "")
        raise DataError(path, f"{field}: one of {names}", shown(text), _REMEDY)
    return known[text]


def beside(path: Path, name: str) -> Path:
    """Return the data file that a header names, which must lie in the header's own folder.

    Raises:
        DataError: A list or pattern of files, a name that leads out of the folder, or no such file.
    """
    one = "convert the volume to one file, .nrrd or .mha"
    if name.split(" ")[0].upper() == "LIST" or "%" in name:
        raise DataError(path, "one data file", f"a list or pattern of files, {shown(name)}", one)
    parts = PurePosixPath(name).parts
    strange = "\\" in name or len(os.fsencode(name)) > _LONGEST_NAME or any(ord(letter) < 32 for letter in name)
    if len(parts) != 1 or parts[0] == ".." or strange:
        raise DataError(path, "a data file in the header's own folder", shown(name), f"lay it there, or {one}")
    file = path.parent / parts[0]
    if not file.is_file():
        raise DataError(path, f"its data file {parts[0]} beside it", "no such file", "copy both files together")
    return file


def shown(text: str) -> str:
    """Return what was found in quotes, short enough for a message."""
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
