"""What the header of an NRRD claims, checked before any voxel is trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.formats.errors import DataError
from datamodules.formats.itk import Header
from datamodules.formats.itk_streams import Encoding
from datamodules.formats.itk_text import beside, counts, one_of, read_head, shown
from datamodules.formats.nrrd_geometry import geometry

_MAGIC = re.compile(rb"NRRD000[1-6]\r?\n")
_MAXIMUM_AXES = 8
_NAMES = {
    "u1": ("uint8", "uint8_t", "uchar", "unsigned char"),
    "i1": ("int8", "int8_t", "signed char"),
    "u2": ("uint16", "uint16_t", "ushort", "unsigned short", "unsigned short int"),
    "i2": ("int16", "int16_t", "short", "short int", "signed short", "signed short int"),
    "u4": ("uint32", "uint32_t", "uint", "unsigned int"),
    "i4": ("int32", "int32_t", "int", "signed int"),
    "u8": ("uint64", "uint64_t", "ulonglong", "unsigned long long", "unsigned long long int"),
    "i8": ("int64", "int64_t", "longlong", "long long", "long long int", "signed long long", "signed long long int"),
    "f4": ("float",),
    "f8": ("double",),
}
# the first name of each type comes first, for messages
_TYPES = {names[0]: code for code, names in _NAMES.items()}
_TYPES |= {name: code for code, names in _NAMES.items() for name in names}
_ENCODINGS: dict[str, Encoding] = {"raw": "raw", "gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
_SAME = {"datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip", "blocksize": "block size"} | {
    "axismins": "axis mins",
    "axismaxs": "axis maxs",
    "centers": "centerings",
    "sampleunits": "sample units",
    "oldmin": "old min",
    "oldmax": "old max",
}
_KNOWN = {
    *_SAME.values(),
    *("type", "dimension", "sizes", "encoding", "endian", "content", "number", "min", "max", "spacings", "thicknesses"),
    *("labels", "units", "kinds", "space", "space dimension", "space units", "space origin", "space directions"),
    "measurement frame",
}
# how a field is read depends on one that comes before it
_BEFORE = {
    "dimension": ("sizes", "spacings", "kinds", "units", "axis mins", "axis maxs", "space directions"),
    "space": ("space directions", "space origin", "space units"),
}
_REMEDY = "mend the header, or fetch or export the file again"


@dataclass(frozen=True)
class Fields:
    """Hold the text of a header.

    Args:
        values: The format's own fields, by their names in lower case.
        keys: What a program keeps for itself (`key:=value`).
        length: Bytes from the file's first to the one after the empty line.
    """

    values: dict[str, str]
    keys: dict[str, str]
    length: int


def parse(path: Path, *, strict: bool | None = False) -> tuple[Header, dict[str, str]]:
    """Read and check the header of a `.nrrd` or `.nhdr` file.

    Args:
        path: The file that holds the header.
        strict: Refuse what is otherwise only warned of: missing or doubtful geometry; None passes over it.

    Returns:
        The header, and the keys that a program keeps in it for itself.

    Raises:
        DataError: This is no NRRD, or its header cannot be true.
    """
    fields = _fields(path, read_head(path))
    values = fields.values
    for field in ("type", "dimension", "sizes", "encoding"):
        if field not in values:
            raise DataError(path, f"an NRRD header with the field {field!r}", "none", _REMEDY)
    axes = counts(path, "dimension", values["dimension"], 1)[0]
    if not 2 <= axes <= _MAXIMUM_AXES:
        raise DataError(path, f"2 to {_MAXIMUM_AXES} axes", str(axes), "convert it to a 2-D or 3-D volume")
    sizes = counts(path, "sizes", values["sizes"], axes)
    if min(sizes) < 1:
        raise DataError(path, "axes of at least one voxel", f"sizes {sizes}", _REMEDY)
    affine, spatial = geometry(path, values, axes, strict=strict)
    dtype = _dtype(path, values)
    encoding = _encoding(path, values)
    data_file, offset = _place_on_disk(path, values, fields.length, encoding)
    return Header(path, tuple(sizes), tuple(spatial), dtype, encoding, data_file, offset, affine), fields.keys


def _fields(path: Path, head: bytes) -> Fields:
    """Return the fields up to the empty line that ends a header, or to the end of a header alone."""
    magic = _MAGIC.match(head)
    if not magic:
        found = f"bytes that begin with {head[:12]!r}"
        raise DataError(path, "an NRRD header", found, "save the volume as NRRD; the name alone does not make it one")
    values: dict[str, str] = {}
    keys: dict[str, str] = {}
    position = magic.end()
    while position < len(head):
        end = head.find(b"\n", position)
        end = len(head) if end < 0 else end
        line = head[position:end].decode("utf-8", "surrogateescape").removesuffix("\r")
        position = end + 1
        if "\r" in line:
            raise DataError(path, "lines that end alike", shown(line), _REMEDY)
        if not line:
            return Fields(values, keys, position)
        if not line.startswith("#"):
            _add(path, line, values, keys)
    if "data file" not in values:
        raise DataError(path, "an empty line after the header", "none", _REMEDY)
    return Fields(values, keys, len(head))


def _add(path: Path, line: str, values: dict[str, str], keys: dict[str, str]) -> None:
    """Sort one line of a header in; a field that NRRD does not know is one that damage has made."""
    key, assigned, text = line.partition(":=")
    name, colon, value = line.partition(": ")
    if assigned and not (colon and len(name) < len(key)):
        keys[key] = text
        return
    name = _SAME.get(name.lower(), name.lower())
    if not colon or name not in _KNOWN:
        raise DataError(path, "lines 'field: value' with a field of NRRD", shown(line), _REMEDY)
    needed = next((first for first, later in _BEFORE.items() if name in later and first not in values), None)
    if needed and not (needed == "space" and "space dimension" in values):
        raise DataError(path, f"the field {needed!r} before {name!r}", "it after, or not at all", _REMEDY)
    if name in values:
        raise DataError(path, f"the field {name!r} once", "it twice", _REMEDY)
    values[name] = value.strip()


def _dtype(path: Path, values: dict[str, str]) -> np.dtype[np.generic]:
    code = one_of(path, "type", values["type"].lower(), _TYPES)
    if code[1] == "1":
        return np.dtype(code)
    # without a byte order, one of two readings is wrong
    big = one_of(path, "endian", values.get("endian", "").lower(), {"little": "", "big": "yes"})
    return np.dtype(code).newbyteorder(">" if big else "<")


def _encoding(path: Path, values: dict[str, str]) -> Encoding:
    encoding = values["encoding"].lower()
    if encoding not in _ENCODINGS:
        expected = f"an encoding of {', '.join(_ENCODINGS)}"
        raise DataError(path, expected, shown(encoding), "save it with one of these")
    return _ENCODINGS[encoding]


def _place_on_disk(path: Path, values: dict[str, str], length: int, encoding: Encoding) -> tuple[Path, int]:
    """Return the file of the voxels, and where in it they begin."""
    file = beside(path, values["data file"]) if "data file" in values else path
    start = 0 if "data file" in values else length
    lines, skipped = counts(path, "line skip", values.get("line skip", "0"), 1)[0], values.get("byte skip", "0")
    if skipped == "-1":
        found = "-1: the last bytes of a file, where a missing end would shift every voxel"
        raise DataError(path, "byte skip in bytes", found, "state the bytes before the voxels")
    skip = counts(path, "byte skip", skipped, 1)[0]
    if (lines or skip) and encoding != "raw":
        found = f"line skip {lines} and byte skip {skip} with encoding {encoding}"
        raise DataError(path, "nothing to skip in a compressed stream", found, "save the volume as one .nrrd file")
    return file, start + _lines_length(path, file, start, lines) + skip


def _lines_length(path: Path, file: Path, start: int, lines: int) -> int:
    """Return how many bytes so many lines take."""
    if not lines:
        return 0
    data = file.read_bytes()
    end = start
    for _ in range(min(lines, len(data) + 1)):
        end = data.find(b"\n", end) + 1
        if not end:
            raise DataError(path, f"{lines} lines before the voxels of {file.name}", "fewer", _REMEDY)
    return end - start
