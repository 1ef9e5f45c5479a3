"""What a TIFF's directories promise, checked before its pixels are decoded."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.formats.errors import DataError
from datamodules.formats.tiff_directories import Page, Reader, require
from datamodules.formats.tiff_tags import ORIENTATION, check_tags

_CHUNK = 1 << 20  # bytes inflated at once
_MOST_PIXELS = 3000  # bytes of pixels per byte of the file, above what LZW, the densest, reaches with one colour
_REMEDY = "fetch or export the file again: it was cut short or damaged"


@dataclass
class _Inflated:
    """Keep which strips have been inflated, by place and length, and the sum of their lengths."""

    spans: set[tuple[int, int]] = field(default_factory=set)
    claimed: int = 0


def check_tiff(path: Path, data: bytes) -> int:
    """Refuse a TIFF whose strips or tiles lie outside of the file, fail their checksum, or are to be turned.

    Only deflate (compressions 8 and 32946) carries checksums; of the others nothing but the place is tested.
    The work is bounded by the file's length, whatever its directories claim: no two of them and no two
    strips may claim so much that they would have to overlap.

    Args:
        path: The file, for messages.
        data: Its bytes: classic TIFF or BigTIFF of either byte order.

    Returns:
        The number of its pages.

    Raises:
        DataError: The file is cut short, damaged, no TIFF, or has an orientation other than upright.
    """
    reader = Reader(path, data)
    inflated = _Inflated()
    strips = pages = pixel_bytes = 0
    for page in reader.pages():
        pages += 1
        check_tags(path, page.tags)
        _check_orientation(path, page)
        spans = page.spans()
        strips += len(spans)
        # a strip's place and length take four bytes at least
        require(path, strips <= len(data) // 4, "more strips than it has room for")
        pixel_bytes += page.pixel_bytes
        require(path, pixel_bytes <= _MOST_PIXELS * len(data), "more pixels than it can hold")
        for index, span in enumerate(spans):
            _check_strip(page, index, span, inflated)
    return pages


def _check_orientation(path: Path, page: Page) -> None:
    orientation = page.number(ORIENTATION, 1)
    if orientation != 1:
        remedy = "save it upright: a mask that was drawn beside it would not be turned with it"
        raise DataError(path, "an upright TIFF (orientation 1)", f"orientation {orientation}", remedy)


def _check_strip(page: Page, index: int, span: tuple[int, int], inflated: _Inflated) -> None:
    """Test that a strip or tile lies within the file and holds its pixels."""
    path, data = page.reader.path, page.reader.data
    require(path, sum(span) <= len(data), f"a strip or tile at byte {span[0]} that ends behind the file's end")
    if page.is_plain:
        least, most = page.strip_bytes(index)
        require(path, least <= span[1] <= most, f"a strip or tile of {span[1]} bytes for {most} bytes of pixels")
    if page.is_deflate and span not in inflated.spans:
        inflated.spans.add(span)
        inflated.claimed += span[1]
        require(path, inflated.claimed <= len(data), "strips that overlap")
        _inflate(path, data, span, page.strip_bytes(index))


def _inflate(path: Path, data: bytes, span: tuple[int, int], limits: tuple[int, int]) -> None:
    """Inflate a strip to its end, which tests its checksum, without keeping the pixels."""
    stream, inflated = zlib.decompressobj(), 0
    try:
        for start in range(span[0], sum(span), _CHUNK):
            piece: bytes = data[start : min(start + _CHUNK, sum(span))]
            while not stream.eof and inflated <= limits[1]:
                pixels = stream.decompress(piece, _CHUNK)
                inflated, piece = inflated + len(pixels), stream.unconsumed_tail
                if len(pixels) < _CHUNK:  # the piece is used up
                    break
    except zlib.error as error:
        raise DataError(path, "an undamaged deflate strip", f"{error} at byte {span[0]}", _REMEDY) from error
    intact = stream.eof and limits[0] <= inflated <= limits[1]
    require(path, intact, f"a deflate strip at byte {span[0]} that ends early or does not fit the image")
