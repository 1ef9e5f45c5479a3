"""The bytes of a NIfTI file: as many as its header promises, read to the end, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.base import is_named
from datamodules.formats.errors import DataError
from datamodules.formats.gzip_stream import MAGIC, MAXIMUM_RATIO, inflated
from datamodules.formats.nifti_header import LONGEST_HEADER, Layout, parse_header

_PIECE = 1 << 20  # bytes
_SHOWN = 12  # bytes of a file of another kind that a message shows
_COUNTED = 1 << 16  # bytes too many that are counted before the reading stops
_TRUNCATED = "fetch or export the file again: it was cut short or damaged"
_ABSENT = "restore it, or check its name and permissions"


def read_content(path: Path, *, strict: bool = False) -> tuple[NDArray[np.uint8], Layout]:
    """Read a file whole; a gzip stream to its end, which tests its checksum and length.

    Memory is taken for what the header promises, and not before the file is long enough to hold it.

    Args:
        path: A `.nii` or `.nii.gz` file.
        strict: Refuse doubtful geometry instead of warning of it.

    Returns:
        All bytes, decompressed, and what the header says of them.

    Raises:
        DataError: The file is cut short, damaged, followed by other bytes, or no NIfTI.
    """
    try:
        with path.open("rb") as stream:
            return _whole(path, stream, strict=strict)
    except OSError as error:
        raise DataError(path, "a readable file", str(error), _ABSENT) from error


def read_start(path: Path) -> bytes:
    """Return the first bytes, which hold the header if they are as many as one takes.

    Raises:
        DataError: The file cannot be read, or is not compressed as its name says.
    """
    try:
        with path.open("rb") as stream:
            return _start(path, _pieces(path, stream))
    except OSError as error:
        raise DataError(path, "a readable file", str(error), _ABSENT) from error


def _whole(path: Path, stream: BinaryIO, *, strict: bool) -> tuple[NDArray[np.uint8], Layout]:
    """Read the bytes that the header promises, and make sure that there are no more and no less."""
    pieces = _pieces(path, stream)
    start = _start(path, pieces)
    layout = parse_header(path, start, strict=strict)
    file_bytes = os.fstat(stream.fileno()).st_size
    packed = is_named(path, (".gz",))
    missing = layout.file_bytes - (file_bytes * MAXIMUM_RATIO if packed else file_bytes)
    if missing > 0:
        _refuse_length(path, layout, f"{missing} bytes missing{', at the least' if packed else ''}")
    data = np.empty(layout.file_bytes, np.uint8)  # takes no memory before it is written to
    filled = extra = 0
    for piece in chain([start], pieces):
        taken = np.frombuffer(piece, np.uint8)[: len(data) - filled]
        data[filled : filled + len(taken)] = taken
        filled, extra = filled + len(taken), extra + len(piece) - len(taken)
        if extra > _COUNTED:
            break
    if filled < len(data) or extra:
        found = f"{len(data) - filled} bytes missing" if filled < len(data) else f"{extra} bytes too many"
        _refuse_length(path, layout, f"{found}, at the least" if extra > _COUNTED else found)
    return data, layout


def _refuse_length(path: Path, layout: Layout, found: str) -> NoReturn:
    expected = f"{layout.file_bytes} bytes for shape {layout.shape} of {layout.dtype}"
    raise DataError(path, expected, found, _TRUNCATED)


def _start(path: Path, pieces: Iterator[bytes]) -> bytes:
    """Take as many pieces as a header needs."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= LONGEST_HEADER:
            break
    if not start:
        raise DataError(path, "a NIfTI file", "an empty file", _TRUNCATED)
    return start


def _pieces(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """Return the content in pieces; a gzip stream ends well only where its checksum and length are right."""
    start = stream.read(len(MAGIC) + _SHOWN)
    stream.seek(0)
    if not start:
        raise DataError(path, "a NIfTI file", "an empty file", _TRUNCATED)
    is_gzip = start.startswith(MAGIC)
    if not is_named(path, (".gz",)):
        if is_gzip:
            raise DataError(path, "an uncompressed NIfTI", "a gzip stream", "rename it to end in .nii.gz")
        return iter(partial(stream.read, _PIECE), b"")
    if not is_gzip:
        found = f"bytes that begin with {start[:_SHOWN]!r}"
        raise DataError(path, "a gzip stream", found, "rename it to .nii if it is not compressed, else fetch it again")
    return inflated(path, stream)
