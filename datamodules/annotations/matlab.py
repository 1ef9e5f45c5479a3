"""One matrix of numbers out of a Matlab file of version 5 to 7, every length checked against what is there.

The layout is that of "MAT-File Format", MathWorks, chapter 1. Readers of the whole format follow damaged lengths out of
their buffers; this one knows matrices of numbers alone.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_NUMERIC_CLASSES = range(6, 16)  # double, single, and whole numbers; those below are cells, structures, text
_COMPLEX = 0x0800
_HEADER_BYTES = 128
_LARGEST_BYTES = 1 << 28  # of one matrix, some hundred times that of the largest known set
_REMEDY = "save it again as a matrix of numbers, in Matlab's format 7 or before"


class _Element(NamedTuple):
    kind: int
    data: bytes


def read_matrix(path: Path, name: str) -> NDArray[np.float64]:
    """Read the matrix of a name, in Matlab's order of axes.

    Raises:
        DataError: If the file is no Matlab file of these versions, is damaged, or has no such matrix of numbers.
    """
    content = path.read_bytes()
    mark = content[_HEADER_BYTES - 2 : _HEADER_BYTES]
    if mark not in (b"IM", b"MI") or content[: len(b"MATLAB 5.0")] != b"MATLAB 5.0":
        found = "one of version 7.3" if content.startswith(b"MATLAB 7.3") else "another kind of file"
        raise DataError(path, "a Matlab file of version 5 to 7", found, _REMEDY)
    order = "<" if mark == b"IM" else ">"
    others = []
    try:
        for element in _elements(content[_HEADER_BYTES:], order):
            kind, data = element if element.kind != _COMPRESSED else _inflated(element.data, order)
            if kind != _MATRIX:
                continue
            found_name, matrix = _matrix(data, order)
            if found_name == name and matrix is not None:
                return matrix
            others.append(found_name)
    except (ValueError, zlib.error) as error:
        raise DataError(
            path, "an undamaged Matlab file", str(error), "copy it again from where it came from"
        ) from error
    found = f"{', '.join(others) or 'no variable'}"
    raise DataError(path, f"a matrix `{name}` of real numbers", found, _REMEDY)


def _elements(content: bytes, order: str) -> Iterator[_Element]:
    """Split a run of elements: each has its type and its length in bytes before it."""
    start = 0
    while start < len(content):
        first, length = (int(word) for word in _words(content[start : start + 8], order))
        if first >> 16:  # up to four bytes stand in the place of the length
            kind, length, begin, after = first & 0xFFFF, first >> 16, start + 4, start + 8
        else:
            kind, begin = first, start + 8
            after = begin + length
            after += 0 if kind == _COMPRESSED else -after % 8
        if begin + length > len(content) or (begin == start + 4 and length > 4):
            raise ValueError(f"an element of {length} bytes where {len(content) - begin} are left")
        yield _Element(kind, content[begin : begin + length])
        start = after


def _words(data: bytes, order: str) -> NDArray[np.uint32]:
    if len(data) != 8:
        raise ValueError(f"{len(data)} bytes where 8 are expected")
    return np.frombuffer(data, f"{order}u4")


def _inflated(data: bytes, order: str) -> _Element:
    stream = zlib.decompressobj()
    content = stream.decompress(data, _LARGEST_BYTES)
    if not stream.eof:  # the checksum is tested at the stream's end
        raise ValueError("a compressed element that is cut short, or too large")
    return next(_elements(content, order), _Element(0, b""))


def _matrix(data: bytes, order: str) -> tuple[str, NDArray[np.float64] | None]:
    """Return a variable's name, and its values if they are real numbers."""
    parts = _elements(data, order)
    flags, sizes, name = (next(parts, _Element(0, b"")) for _ in range(3))
    if (flags.kind, sizes.kind, name.kind) != (_UINT32, _INT32, _INT8) or len(sizes.data) % 4:
        raise ValueError("a variable without flags, sizes and name")
    title = name.data.decode("latin-1")
    word = int(_words(flags.data, order)[0])
    if word & 0xFF not in _NUMERIC_CLASSES or word & _COMPLEX:
        return title, None
    shape = [int(size) for size in np.frombuffer(sizes.data, f"{order}i4")]
    values = next(parts, _Element(0, b""))
    dtype = np.dtype(f"{order}{_NUMBERS.get(values.kind, 'V1')}")
    if dtype.kind == "V" or min(shape, default=-1) < 0 or math.prod(shape) * dtype.itemsize != len(values.data):
        raise ValueError(f"{len(values.data)} bytes of type {values.kind} for {title} of sizes {shape}")
    return title, np.frombuffer(values.data, dtype).astype(np.float64).reshape(shape, order="F")
