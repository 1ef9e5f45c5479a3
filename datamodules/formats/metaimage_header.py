"""What the header of a MetaImage claims, checked before any voxel is trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.geometry import check_spacing
from datamodules.formats.itk import Header
from datamodules.formats.itk_geometry import LPS_TO_RAS, doubt, place, spatial_axes
from datamodules.formats.itk_streams import Encoding
from datamodules.formats.itk_text import beside, counts, floats, one_of, read_head, shown

_TRUE_FALSE = {"True": "yes", "true": "yes", "1": "yes", "False": "", "false": "", "0": ""}
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# names that mean the same, of which a header has one
_SAME = {
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
    "Position": "Offset",
    "Origin": "Offset",
    "Rotation": "TransformMatrix",
    "Orientation": "TransformMatrix",
}
_KNOWN = {
    *_SAME.values(),
    *("ObjectType", "NDims", "DimSize", "BinaryData", "CompressedData", "CompressedDataSize", "ElementSpacing"),
    *("ElementSize", "HeaderSize", "ElementNumberOfChannels", "ElementType", "ElementDataFile"),
    *("ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset"),
}
# what to add where a header leaves it out, which then has two readings
_LINES = {
    "BinaryData": "BinaryData = True",
    "BinaryDataByteOrderMSB": "BinaryDataByteOrderMSB = False, or True where the voxels are big-endian",
}
_BY_AXIS = ("DimSize", "Offset", "TransformMatrix", "ElementSpacing", "ElementSize")
_REMEDY = "mend the header, or fetch or export the file again"


def parse(path: Path, *, strict: bool | None = False) -> Header:
    """Read and check the header of a `.mha` or `.mhd` file.

    Args:
        path: The file that holds the header.
        strict: Refuse what is otherwise only warned of: missing geometry; None passes over it.

    Raises:
        DataError: This is no MetaImage, or its header cannot be true.
    """
    fields, length = _fields(path, read_head(path))
    dimensions = counts(path, "NDims", _required(path, fields, "NDims"), 1)[0]
    if not 2 <= dimensions <= 4:
        raise DataError(path, "NDims of 2, 3 or 4", str(dimensions), "convert it to a 2-D or 3-D volume")
    sizes = counts(path, "DimSize", _required(path, fields, "DimSize"), dimensions)
    channels = counts(path, "ElementNumberOfChannels", fields.get("ElementNumberOfChannels", "1"), 1)[0]
    if min(*sizes, channels) < 1:
        raise DataError(path, "axes of at least one voxel", f"{sizes} of {channels} channels", _REMEDY)
    affine, spatial = _geometry(path, fields, dimensions, strict=strict)
    if channels > 1:  # of one voxel together, so that they are the fastest axis
        sizes, spatial = [channels, *sizes], [axis + 1 for axis in spatial]
    data_file, offset = _place_on_disk(path, fields, length)
    encoding = _encoding(path, fields, data_file.stat().st_size - offset)
    dtype = _dtype(path, fields)
    return Header(path, tuple(sizes), tuple(spatial), dtype, encoding, data_file, offset, affine)


def _fields(path: Path, head: bytes) -> tuple[dict[str, str], int]:
    """Return the fields up to the one that ends a header, ElementDataFile, and the bytes that they take."""
    fields: dict[str, str] = {}
    position = 0
    while (end := head.find(b"\n", position)) >= 0 or position < len(head):
        end = len(head) if end < 0 else end
        line = head[position:end].decode("utf-8", "surrogateescape")
        position = end + 1
        key, equals, text = (part.strip() for part in line.partition("="))
        if not key:
            continue
        if not equals:
            raise DataError(path, "lines 'key = value'", shown(line), _REMEDY)
        key = _SAME.get(key, key)
        if key in fields and key in _KNOWN:
            raise DataError(path, f"{key} once", "it twice", _REMEDY)
        if key in _BY_AXIS and "NDims" not in fields:
            raise DataError(path, f"NDims before {key}", "it after, or not at all", _REMEDY)
        fields[key] = text  # of keys that are not known nothing is asked
        if key == "ElementDataFile":
            return fields, position
    found = f"none in the file, which begins with {head[:12]!r}"
    raise DataError(path, "a MetaImage header that ends with ElementDataFile", found, _REMEDY)


def _required(path: Path, fields: dict[str, str], key: str) -> str:
    if key not in fields:
        line = _LINES.get(key)
        remedy = f"add a line before ElementDataFile: {line}" if line else _REMEDY
        raise DataError(path, f"a MetaImage header with {key}", "none", remedy)
    return fields[key]


def _flag(path: Path, fields: dict[str, str], key: str, default: str | None = None) -> bool:
    text = _required(path, fields, key) if default is None else fields.get(key, default)
    return bool(one_of(path, key, text, _TRUE_FALSE))


def _dtype(path: Path, fields: dict[str, str]) -> np.dtype[np.generic]:
    """Return the voxels' type, after checking that nothing else is to be done with their numbers."""
    if fields.get("ObjectType", "Image") != "Image":
        raise DataError(path, "ObjectType Image", shown(fields["ObjectType"]), "export a volume")
    if not _flag(path, fields, "BinaryData"):
        raise DataError(path, "binary voxels", "BinaryData = False: voxels as text", "save it with binary data")
    for key, none in (("ElementToIntensityFunctionSlope", 1.0), ("ElementToIntensityFunctionOffset", 0.0)):
        if floats(path, key, fields.get(key, str(none)), 1) != [none]:
            found = f"{key} = {shown(fields[key])}, which ITK passes over"
            raise DataError(path, "voxels without scaling", found, "save the scaled voxels")
    kind = one_of(path, "ElementType", _required(path, fields, "ElementType"), _TYPES)
    # without a byte order, one of two readings is wrong
    big = kind[1] != "1" and _flag(path, fields, "BinaryDataByteOrderMSB")
    return np.dtype(kind).newbyteorder(">" if big else "<")


def _place_on_disk(path: Path, fields: dict[str, str], length: int) -> tuple[Path, int]:
    """Return the file of the voxels, and where in it they begin."""
    name = fields["ElementDataFile"]
    skipped = fields.get("HeaderSize", "0")
    if skipped == "-1":
        found = "-1: the last bytes of a file, where a missing end would shift every voxel"
        raise DataError(path, "HeaderSize in bytes", found, "state the bytes before the voxels")
    skip = counts(path, "HeaderSize", skipped, 1)[0]
    if name not in ("LOCAL", "Local", "local"):
        return beside(path, name), skip
    if skip:
        raise DataError(path, "voxels right after the header", f"HeaderSize = {skip}", _REMEDY)
    return path, length


def _encoding(path: Path, fields: dict[str, str], present: int) -> Encoding:
    """Return how the voxels are stored, after comparing the stated length of a stream with the bytes there."""
    compressed = _flag(path, fields, "CompressedData", "False")
    stated = fields.get("CompressedDataSize")
    if (stated is None) == compressed:  # ITK reads wrong voxels without the one, and in silence
        found = "no CompressedDataSize" if compressed else f"one of {shown(stated or '')} of voxels as they are"
        raise DataError(path, "CompressedDataSize where CompressedData = True, and there alone", found, _REMEDY)
    if stated is not None and counts(path, "CompressedDataSize", stated, 1)[0] != present:
        raise DataError(path, f"a compressed stream of {shown(stated)} bytes", f"{present} bytes", _REMEDY)
    return "zlib" if compressed else "raw"


def _geometry(
    path: Path, fields: dict[str, str], dimensions: int, *, strict: bool | None
) -> tuple[NDArray[np.float64], list[int]]:
    """Return the affine in RAS+ mm, and the axes that it places."""
    spacing_key = "ElementSpacing" if "ElementSpacing" in fields else "ElementSize"
    missing = [key for key in (spacing_key, "Offset", "TransformMatrix") if key not in fields]
    if missing:
        missing = [key.replace("ElementSize", "ElementSpacing") for key in missing]
        found = f"no {', '.join(missing)}; spacing 1 mm, origin 0 and the directions of LPS are used for those"
        doubt(path, "ElementSpacing, Offset and TransformMatrix", found, strict=strict)
    identity = " ".join(str(value) for value in np.eye(dimensions).ravel())
    spacing = floats(path, spacing_key, fields.get(spacing_key, "1 " * dimensions), dimensions)
    origin = floats(path, "Offset", fields.get("Offset", "0 " * dimensions), dimensions)
    check_spacing(path, spacing[:3], spacing_key)
    directions = floats(path, "TransformMatrix", fields.get("TransformMatrix", identity), dimensions**2)
    # the numbers of one axis follow each other
    unit = np.array(directions).reshape(dimensions, dimensions).T
    if not np.allclose(np.linalg.norm(unit, axis=0), 1, atol=1e-3):
        found = f"lengths {np.linalg.norm(unit, axis=0).tolist()}; they are multiplied with the spacing, as ITK does"
        doubt(path, "directions of length 1 in TransformMatrix", found, strict=strict)
    steps = unit * spacing
    spatial = spatial_axes(path, steps)
    return place(path, steps, origin, LPS_TO_RAS, spatial), spatial
