"""Photographs and frames on disk (JPEG, PNG, WebP, TIFF, BMP) as 8-bit RGB.

OpenCV fills what is missing of a truncated JPEG with grey and says so on the console alone; the bytes are
therefore looked at before they are decoded. Damage within the pixels of a JPEG that is whole by its markers (bytes that
changed, a part that was lost or overwritten with its end still there) is not noticed: the format keeps no checksum, and
the decoder goes on with wrong or grey areas. PNG
and deflated TIFF have checksums; WebP, BMP and other TIFF are checked for their length alone.
"""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.png import check_png
from datamodules.formats.tiff import check_tiff

# Joints are annotated on the stored grid of pixels, as by the COCO tools: an orientation in the EXIF is not applied.
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_REMEDY = "fetch or export the file again: it was cut short, damaged, or is another format"
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_START_OF_SCAN, _END = 0xDA, b"\xff\xd9"


def read(path: Path) -> NDArray[np.uint8]:
    """Read an image as RGB [H, W, 3].

    Grey becomes three equal channels, alpha is dropped, 16-bit values are divided by 257 whatever they span, and an
    EXIF orientation is not applied.

    Raises:
        DataError: The file cannot be read, is cut short, or does not decode.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(path, "a readable image", str(error), "restore it or take it out of the data set") from error
    return decode(data, path)


def decode(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode the bytes of an image, as `read` does.

    Args:
        data: The whole file.
        path: Its name, for messages.
    """
    _check_whole(path, data)
    try:
        done, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), _FLAGS) if data else (False, ())
    except cv2.error as error:
        raise DataError(path, "an image that decodes", str(error), _REMEDY) from error
    if not done or not pages:
        raise DataError(path, "an image that decodes", f"{len(data)} bytes that do not", _REMEDY)
    if len(pages) > 1:
        raise DataError(path, "one image", f"{len(pages)} pages", "split the file into one image each")
    decoded = pages[0]
    if decoded.dtype == np.uint16:
        decoded = ((decoded.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if decoded.dtype != np.uint8:
        raise DataError(path, "8 or 16 bits per channel", f"{decoded.dtype}", "export it with 8 bits per channel")
    rgb: NDArray[np.uint8] = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return rgb


def _check_whole(path: Path, data: bytes) -> None:
    if data.startswith(_JPEG):
        if data.find(_END, _scan_start(data)) < 0:
            raise DataError(path, "a JPEG with its end marker", f"{len(data)} bytes without it", _REMEDY)
    elif data.startswith(_PNG):
        check_png(path, data)
    elif data.startswith(_TIFF):
        check_tiff(path, data)
    elif data[:4] == b"RIFF" or data[:2] == b"BM":
        declared = struct.unpack_from("<I", data, 4 if data[:4] == b"RIFF" else 2)[0] if len(data) >= 8 else 8
        declared += 8 if data[:4] == b"RIFF" else 0
        if len(data) < declared:
            raise DataError(path, f"a file of {declared} bytes, as it declares", f"{len(data)} bytes", _REMEDY)


def _scan_start(data: bytes) -> int:
    """Return where a JPEG's pixels begin: a preview in front of them has an end marker of its own."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = struct.unpack_from(">xBH", data, position)
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == _START_OF_SCAN:
            return position
        position += 2 + length
    return len(data)
