"""What an encoded frame says of itself, compared with its header before a decoder takes memory for it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.formats.dicom.headers import DAMAGED
from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    from datamodules.formats.dicom.decoders import FrameFormat

_RLE = "1.2.840.10008.1.2.5"
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.20")
_START_2000 = b"\xff\x4f\xff\x51"  # start of codestream, then the size marker (ISO/IEC 15444-1, A.4.1 and A.5.1)
_END = b"\xff\xd9"  # the end marker of JPEG, JPEG-LS and JPEG 2000
_SEGMENTS_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7})  # SOFn, and that of JPEG-LS
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def check_codestream(path: Path, frame: bytes, form: FrameFormat) -> None:
    """Compare a frame's own size and number of components with the DICOM header, and look for its end.

    Raises:
        DataError: They differ, or the stream is cut short.
    """
    if form.syntax == _RLE:
        return  # states no size; its decoder compares the length of what comes out
    size = _size_of_jpeg_2000(frame) if form.syntax.startswith(_JPEG_2000) else _size_of_jpeg(frame)
    if size is None:
        raise DataError(path, f"a stream of {form.syntax.name}", f"bytes that begin with {frame[:8]!r}", DAMAGED)
    columns, rows, components, bits, is_signed = size
    if is_signed and not form.is_signed:
        raise DataError(path, "a stream of unsigned numbers, as the header states", "one of signed numbers", DAMAGED)
    if (columns, rows, components) != (form.columns, form.rows, 1) or not 0 < bits <= form.bits_allocated:
        found = f"a stream of {columns} x {rows} x {components} of {bits} bits"
        expected = f"{form.columns} x {form.rows} x 1 of at most {form.bits_allocated} bits, as the header states"
        raise DataError(path, expected, found, DAMAGED)
    if not frame.rstrip(b"\0").endswith(_END):
        raise DataError(path, "an end marker at the end of the encoded frame", f"{frame[-2:]!r}", DAMAGED)


def _size_of_jpeg_2000(frame: bytes) -> tuple[int, int, int, int, bool] | None:
    """Return columns, rows, components, bits and sign of a JPEG 2000 codestream, also of one in a JP2 file."""
    start = frame.find(_START_2000)
    if start < 0 or len(frame) < start + 43:
        return None
    # after the length and the capabilities: size, offset, tile size, tile offset, number of components, depth
    right, bottom, left, top, *_, components, depth = struct.unpack_from(">8IHB", frame, start + 8)
    return right - left, bottom - top, components, (depth & 0x7F) + 1, bool(depth & 0x80)


def _size_of_jpeg(frame: bytes) -> tuple[int, int, int, int, bool] | None:
    """Return columns, rows, components, bits and sign from the frame header of a JPEG or JPEG-LS stream."""
    if frame[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 4 <= len(frame) and frame[place] == 0xFF:
        marker = frame[place + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # a fill byte, or a marker that stands alone
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _SEGMENTS_OF_FRAME:
            if place + 10 > len(frame):
                return None
            bits, rows, columns, components = struct.unpack_from(">BHHB", frame, place + 4)
            return columns, rows, components, bits, False  # JPEG knows no sign
        place += 2 + int(struct.unpack_from(">H", frame, place + 2)[0])
    return None
