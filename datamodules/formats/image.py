"""2-D images (PNG, TIFF, BMP) as volumes of one slice.

PNG and TIFF with deflate carry checksums, which are tested. Uncompressed and LZW TIFF, and BMP, carry none: damage
that leaves their structure whole cannot be told from pixels.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import write_atomically
from datamodules.formats.errors import DataError
from datamodules.formats.tiff import check_tiff

SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_MAGIC = {".png": (_PNG_MAGIC,), ".bmp": (b"BM",), ".tif": (b"II", b"MM"), ".tiff": (b"II", b"MM")}
_REMEDY = "fetch or export the file again: it was cut short, damaged, or is another format"


def read(path: Path, page: int | None = None) -> NDArray[Any]:
    """Read an image as [C, X = column, Y = row, 1]; colour comes as RGB.

    Args:
        path: A PNG, TIFF or BMP file.
        page: Which page of a TIFF of several.

    Raises:
        DataError: The file cannot be decoded to its end, fails a checksum, holds several pages and none was chosen,
            or is a TIFF that is to be turned before it is shown.
    """
    data = path.read_bytes()
    if not data.startswith(_MAGIC[path.suffix.lower()]):
        raise DataError(path, f"a {path.suffix} image", f"bytes that begin with {data[:12]!r}", _REMEDY)
    if data.startswith(_PNG_MAGIC):
        check_png(path, data)
    elif path.suffix.lower() in (".tif", ".tiff"):
        check_tiff(path, data)
    try:
        decoded, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DataError(path, "an image that decodes", str(error), _REMEDY) from error
    if not decoded or not pages:
        raise DataError(path, "an image that decodes", f"{len(data)} bytes that do not", _REMEDY)
    if page is None and len(pages) > 1:
        remedy = f"choose one with --volume 0 to {len(pages) - 1}, or split the file"
        raise DataError(path, "one image", f"{len(pages)} pages", remedy)
    if page is not None and not 0 <= page < len(pages):
        raise DataError(path, f"--volume from 0 to {len(pages) - 1}", f"--volume {page}", "choose one that exists")
    return _to_channels(pages[page or 0])


def write(path: Path, array: NDArray[Any]) -> None:
    """Write one slice [X = column, Y = row, 1] losslessly and atomically.

    Args:
        path: A PNG, TIFF or BMP file in a folder that exists.
        array: uint8 voxels, or uint16 ones where the format holds them.

    Raises:
        DataError: The array has several slices, or values that the format cannot hold.
    """
    if array.ndim != 3 or array.shape[2] != 1:
        remedy = "write NIfTI (.nii.gz) instead"
        raise DataError(path, "one slice [X, Y, 1] for an image file", f"shape {array.shape}", remedy)
    if path.suffix.lower() == ".bmp" and array.dtype != np.uint8:
        raise DataError(path, "8-bit values for BMP", f"{array.dtype}", "write PNG instead")
    encoded, data = cv2.imencode(path.suffix, np.ascontiguousarray(array[:, :, 0].T))
    if not encoded:
        raise DataError(path, "values that the format holds", f"{array.dtype}", "write PNG instead")
    write_atomically(path, data.tobytes())


def _to_channels(image: NDArray[Any]) -> NDArray[Any]:
    """Turn OpenCV's [row, column] or [row, column, BGR(A)] into [C, X, Y, 1]."""
    if image.ndim == 2:
        return image.T[None, :, :, None]
    channels = [2, 1, 0, 3][: image.shape[2]] if image.shape[2] >= 3 else list(range(image.shape[2]))
    return image[:, :, channels].transpose(2, 1, 0)[..., None]


def check_png(path: Path, data: bytes) -> None:
    """Test every chunk's checksum: the decoder lets some damage pass as pixels."""
    position, kind = len(_PNG_MAGIC), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise DataError(path, "a PNG that ends with IEND", f"{len(data)} bytes without it", _REMEDY)
        length, kind = struct.unpack_from(">I4s", data, position)
        body_end = position + 8 + length
        checksum = data[body_end : body_end + 4]
        if zlib.crc32(memoryview(data)[position + 4 : body_end]).to_bytes(4, "big") != checksum:
            raise DataError(path, "intact PNG chunks", f"a wrong checksum at byte {position}", _REMEDY)
        position = body_end + 4
    if position != len(data):
        raise DataError(path, "nothing behind the PNG's end", f"{len(data) - position} bytes", _REMEDY)
