"""What a BMP promises, checked before its pixels are decoded."""

from __future__ import annotations

import struct
from pathlib import Path

from datamodules.formats.errors import DataError

MAGIC = b"BM"
_CORE = 12  # bytes of the oldest header, which has 16-bit sizes
_PLAIN = (0, 3, 6)  # compressions: none, with masks of bits, with masks and alpha
_RUN = 255  # pixels that two bytes of run lengths stand for at most
_REMEDY = "fetch or export the file again: it was cut short, damaged, or is another format"


def check_bmp(path: Path, data: bytes) -> None:
    """Refuse a file that is too short for the pixels that it claims.

    Raises:
        DataError: It is.
    """
    if len(data) < 34:
        raise DataError(path, "a BMP", f"{len(data)} bytes", _REMEDY)
    if struct.unpack_from("<I", data, 14)[0] == _CORE:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    claimed = abs(height) * (abs(width) * bits // 8 if compression in _PLAIN else abs(width) // _RUN)
    if claimed > len(data):
        found = f"{width} x {height} pixels of {bits} bits in {len(data)} bytes"
        raise DataError(path, "a BMP header that can be true", found, _REMEDY)
