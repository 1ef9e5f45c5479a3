"""What a TIFF's directories promise, checked before its pixels are decoded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from datamodules.formats import tiff_tags
from datamodules.formats.errors import DataError

_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # field type to NumPy type
_YCBCR = 6  # colour may be stored at a lower resolution, so a strip's size is only bounded
_CHUNK = 1 << 20  # bytes inflated at once
_REMEDY = "fetch or export the file again: it was cut short or damaged"


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
    reader = _Reader(path, data)
    checked: set[tuple[int, int]] = set()
    strips = claimed = pages = 0
    for page in reader.pages():
        pages += 1
        orientation = page.number(tiff_tags.ORIENTATION, 1)
        if orientation != 1:
            remedy = "save it upright: a mask that was drawn beside it would not be turned with it"
            raise DataError(path, "an upright TIFF (orientation 1)", f"orientation {orientation}", remedy)
        spans = page.spans()
        strips += len(spans)
        # a strip's place and length take four bytes at least
        _require(path, strips <= len(data) // 4, "more strips than it has room for")
        for index, span in enumerate(spans):
            _require(path, sum(span) <= len(data), f"a strip or tile at byte {span[0]} that ends behind the file's end")
            if page.is_deflate and span not in checked:
                checked.add(span)
                claimed += span[1]
                _require(path, claimed <= len(data), "strips that overlap")
                _inflate(path, data, span, page.strip_bytes(index))
    return pages


@dataclass(frozen=True)
class _Page:
    """One directory: where the values of each tag lie, and what they say."""

    reader: _Reader
    tags: dict[int, tuple[str, int, int]]  # NumPy type, count, place

    def numbers(self, tag: int, at_most: int | None = None) -> list[int]:
        """Return the integers of a tag, none where it is absent."""
        dtype, count, place = self.tags.get(tag, ("u1", 0, 0))
        count = count if at_most is None else min(count, at_most)
        numbers: list[int] = np.frombuffer(self.reader.data, self.reader.order + dtype, count, place).tolist()
        return numbers

    def number(self, tag: int, default: int) -> int:
        """Return the first integer of a tag."""
        return next(iter(self.numbers(tag, 1)), default)

    @cached_property
    def is_deflate(self) -> bool:
        """Tell whether strips and tiles are zlib streams."""
        return self.number(tiff_tags.COMPRESSION, 1) in tiff_tags.DEFLATE

    @property
    def is_tiled(self) -> bool:
        """Tell whether the image is stored in tiles instead of strips."""
        return tiff_tags.TILES in self.tags

    def spans(self) -> list[tuple[int, int]]:
        """Return the place and length of every strip or tile."""
        tags = (tiff_tags.TILES, tiff_tags.TILE_BYTES) if self.is_tiled else (tiff_tags.STRIPS, tiff_tags.STRIP_BYTES)
        # counted before they are listed: a hostile table is as long as the file, on every page
        counts = [self.tags[tag][1] if tag in self.tags else 0 for tag in tags]
        path, needed = self.reader.path, self._grid[0]
        _require(path, counts[0] == counts[1] >= needed > 0, f"{counts[0]} strips, {counts[1]} lengths for {needed}")
        _require(path, counts[0] <= len(self.reader.data) // 4, "more strips than it has room for")
        return list(zip(*(self.numbers(tag) for tag in tags), strict=True))

    def strip_bytes(self, index: int) -> tuple[int, int]:
        """Return the least and the most bytes that a strip or tile inflates to."""
        _, rows, columns = self._grid
        samples = 1 if self.number(tiff_tags.PLANAR, 1) == 2 else self.number(tiff_tags.SAMPLES, 1)
        row_bytes = -(-columns * samples * self.number(tiff_tags.BITS, 1) // 8)
        height, least = self.number(tiff_tags.HEIGHT, 0), rows
        if not self.is_tiled:
            least = min(rows, height - index % -(-height // rows) * rows)  # the last strip may be lower
        return 0 if self.number(tiff_tags.PHOTOMETRIC, 1) == _YCBCR else least * row_bytes, rows * row_bytes

    @cached_property
    def _grid(self) -> tuple[int, int, int]:
        """Return the number of strips or tiles, and the rows and columns of each."""
        width, height = self.number(tiff_tags.WIDTH, 0), self.number(tiff_tags.HEIGHT, 0)
        rows, columns = min(self.number(tiff_tags.ROWS_PER_STRIP, height), height), width
        if self.is_tiled:
            rows, columns = self.number(tiff_tags.TILE_HEIGHT, 0), self.number(tiff_tags.TILE_WIDTH, 0)
        _require(self.reader.path, min(width, height, rows, columns) > 0, "an image or strips without pixels")
        planes = self.number(tiff_tags.SAMPLES, 1) if self.number(tiff_tags.PLANAR, 1) == 2 else 1
        return planes * -(-height // rows) * -(-width // columns), rows, columns


class _Reader:
    """Walk the directories of a TIFF, each byte of them at most once.

    Args:
        path: The file, for messages.
        data: Its bytes.

    Raises:
        DataError: The header is not that of a TIFF.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data = path, data
        self.order = "<" if data[:2] == b"II" else ">"
        version = self._integer(2, 2)
        _require(path, version in (42, 43), f"version {version} in its header")
        self.is_big = version == 43
        # bytes of an offset, and of a directory's number of entries
        self.word, self.head = (8, 8) if self.is_big else (4, 2)

    def pages(self) -> Iterator[_Page]:
        """Yield the directories in order."""
        offset = self._integer(8, 8) if self.is_big else self._integer(4, 4)
        _require(self.path, offset > 0, "no image")
        room, entry = len(self.data), 4 + 2 * self.word
        while offset:
            count = self._integer(offset, self.head)
            end = offset + self.head + count * entry
            room -= end - offset + self.word
            # directories in a circle, or inside each other, take more bytes than there are
            _require(self.path, room >= 0, "directories that overlap or never end")
            following = self._integer(end, self.word)
            places = range(offset + self.head, end, entry)
            yield _Page(self, dict(self._tag(place) for place in places if self._integer(place, 2) <= tiff_tags.TILE_BYTES))
            offset = following

    def _tag(self, place: int) -> tuple[int, tuple[str, int, int]]:
        """Return a tag with the type, count and place of its values; those that are no integers are left out."""
        tag, kind = self._integer(place, 2), self._integer(place + 2, 2)
        count = self._integer(place + 4, self.word)
        if kind not in _INTEGERS:
            return tag, ("u1", 0, 0)
        values = place + 4 + self.word
        size = count * np.dtype(_INTEGERS[kind]).itemsize
        if size > self.word:
            values = self._integer(values, self.word)
        _require(self.path, values + size <= len(self.data), f"values of tag {tag} behind the file's end")
        return tag, (_INTEGERS[kind], count, values)

    def _integer(self, place: int, size: int) -> int:
        """Return the unsigned integer at a place."""
        _require(self.path, place + size <= len(self.data), "the end of the file inside a directory")
        return int.from_bytes(self.data[place : place + size], "little" if self.order == "<" else "big")


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
    _require(path, intact, f"a deflate strip at byte {span[0]} that ends early or does not fit the image")


def _require(path: Path, condition: bool, found: str) -> None:
    """Refuse the file unless the condition holds."""
    if not condition:
        raise DataError(path, "an undamaged TIFF", found, _REMEDY)
