"""What a TIFF's directories promise, checked before its pixels are decoded."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.formats.errors import DataError
from datamodules.formats.tiff_description import check_pages
from datamodules.formats.tiff_directories import Page, Reader, require
from datamodules.formats.tiff_forms import Form, page_form
from datamodules.formats.tiff_tags import ORIENTATION, check_tags

_CHUNK = 1 << 20  # bytes inflated at once
_MOST_PIXELS = 3000  # bytes of pixels per byte of the file, above what LZW, the densest, reaches with one colour
_MOST_FAX = 1 << 25  # bytes of pixels of a file, of one bit each: a row that is like the one above it takes one bit
_REMEDY = "fetch or export the file again: it was cut short or damaged"


@dataclass(frozen=True)
class Content:
    """What a TIFF promises.

    Args:
        forms: What each page decodes to.
        description: The text of the first page, empty for none.
    """

    forms: list[Form]
    description: str


@dataclass
class _Inflated:
    """Keep which strips have been inflated, by place and length, and the sum of their lengths."""

    spans: set[tuple[int, int]] = field(default_factory=set)
    claimed: int = 0


def check_tiff(path: Path, data: bytes) -> Content:
    """Refuse a TIFF with strips or tiles outside of the file, or damaged, or pages that would be decoded wrongly.

    Only deflate (compressions 8 and 32946) carries checksums; of the others nothing but the place is tested.
    The work is bounded by the file's length, whatever its directories claim: no two of them and no two
    strips may claim so much that they would have to overlap.

    Args:
        path: The file, for messages.
        data: Its bytes: classic TIFF or BigTIFF of either byte order.

    Returns:
        What its pages decode to.

    Raises:
        DataError: The file is cut short, damaged, no TIFF, has pixels that no directory names, an orientation other
            than upright, or pages of a kind that is not decoded as it is stored.
    """
    reader, inflated = Reader(path, data), _Inflated()
    forms: list[Form] = []
    strips, claimed, unpacked, description = 0, 0, [], ""
    for page in reader.pages():
        check_tags(path, page.tags)
        _check_orientation(path, page)
        spans = page.spans()
        strips += len(spans)
        # a strip's place and length take four bytes at least
        require(path, strips <= len(data) // 4, "more strips than it has room for")
        claimed += page.pixel_bytes
        most = max(_MOST_PIXELS * len(data), _MOST_FAX if page.is_fax else 0)
        require(path, claimed <= most, "more pixels than it can hold")
        for index, span in enumerate(spans):
            _check_strip(page, index, span, inflated)
            reader.extend(sum(span))
        description = description if forms else page.description
        forms.append(page_form(path, page.tags))
        unpacked += [page.pixel_bytes] if page.is_plain else []
    check_pages(path, description, len(forms))
    trailing = len(data) - reader.reach
    if unpacked and trailing >= min(unpacked):
        remedy = "save it with a directory for each page, or as NIfTI"
        raise DataError(path, "pixels that a directory names", f"{trailing} bytes behind the last of them", remedy)
    return Content(forms, description)


def _check_orientation(path: Path, page: Page) -> None:
    orientation = page.number(ORIENTATION, 1)
    if orientation != 1:
        remedy = "save it upright: a mask that was drawn beside it would not be turned with it"
        raise DataError(path, "an upright TIFF (orientation 1)", f"orientation {orientation}", remedy)


def _check_strip(page: Page, index: int, span: tuple[int, int], inflated: _Inflated) -> None:
    """Test that a strip or tile lies within the file and holds its pixels."""
    path, data = page.reader.path, page.reader.data
    require(path, sum(span) <= len(data), f"a strip or tile at byte {span[0]} that ends behind the file's end")
    if page.is_fax:
        rows = page.strip_rows(index)
        require(path, rows <= 8 * span[1], f"{span[1]} bytes for {rows} rows of a facsimile")
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
