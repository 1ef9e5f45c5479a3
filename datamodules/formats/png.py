"""What a PNG promises, checked before its pixels are decoded (PNG specification, third edition, section 5)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from datamodules.formats.errors import DataError
from datamodules.formats.gzip_stream import MAXIMUM_RATIO

MAGIC = b"\x89PNG\r\n\x1a\n"
_HEADER_END = 33  # bytes: the magic number and the first chunk
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by type of colour: grey, RGB, palette, grey and RGB with alpha
_REMEDY = "fetch or export the file again: it was cut short, damaged, or is another format"


def check_png(path: Path, data: bytes) -> None:
    """Test every chunk's checksum, as the decoder lets some damage pass as pixels, and the size that is claimed.

    Raises:
        DataError: The file is cut short or damaged, goes on behind its end, or claims more pixels than it can hold.
    """
    if len(data) >= _HEADER_END:  # a shorter file has no end either
        _check_size(path, data)
    position, kind = len(MAGIC), b""
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


def _check_size(path: Path, data: bytes) -> None:
    """Refuse a header that claims more than deflate can pack into the file."""
    length, kind, width, height, depth, colour = struct.unpack_from(">I4sIIBB", data, len(MAGIC))
    claimed = height * (1 + -(-width * _SAMPLES.get(colour, 0) * depth // 8))
    if (length, kind) != (13, b"IHDR") or colour not in _SAMPLES or claimed > MAXIMUM_RATIO * len(data):
        found = f"{width} x {height} pixels of {depth} bits, colour type {colour}, in {len(data)} bytes"
        raise DataError(path, "a PNG header that can be true", found, _REMEDY)
