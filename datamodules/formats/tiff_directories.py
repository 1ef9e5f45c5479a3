"""The directories of a TIFF: its pages, with the places of their strips or tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from datamodules.formats.errors import DataError
from datamodules.formats.tiff_tags import (
    BITS,
    COMPRESSION,
    DEFLATE,
    DESCRIPTION,
    FAX,
    HEIGHT,
    KEPT,
    PHOTOMETRIC,
    PLANAR,
    ROWS_PER_STRIP,
    SAMPLES,
    STRIP_BYTES,
    STRIPS,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TILES,
    WIDTH,
    Tag,
)

_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # field type to NumPy type
# bytes of a value of each field type
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_TEXT = 2  # field type
_FEW = 64  # values of a tag that are looked at
_YCBCR = 6  # colour may be stored at a lower resolution, so a strip's size is only bounded
_REMEDY = "fetch or export the file again: it was cut short or damaged"


@dataclass(frozen=True)
class Page:
    """One directory: where the values of each tag lie, and what they say."""

    reader: Reader
    tags: dict[int, Tag]
    places: dict[int, tuple[str, int, int]]  # NumPy type, count, place of the integers of the tags that are kept

    def numbers(self, tag: int) -> list[int]:
        """Return the integers of a tag, none where it is absent."""
        dtype, count, place = self.places.get(tag, ("u1", 0, 0))
        numbers: list[int] = np.frombuffer(self.reader.data, self.reader.order + dtype, count, place).tolist()
        return numbers

    def number(self, tag: int, default: int) -> int:
        """Return the first integer of a tag."""
        return self.tags[tag].values[0] if tag in self.tags else default

    @property
    def description(self) -> str:
        """Return the text that describes the image, empty where there is none."""
        _, count, place = self.places.get(DESCRIPTION, ("u1", 0, 0))
        return self.reader.data[place : place + count].decode(errors="replace")

    @cached_property
    def is_plain(self) -> bool:
        """Tell whether strips and tiles are pixels as they are."""
        return self.number(COMPRESSION, 1) == 1

    @cached_property
    def is_deflate(self) -> bool:
        """Tell whether strips and tiles are zlib streams."""
        return self.number(COMPRESSION, 1) in DEFLATE

    @cached_property
    def is_fax(self) -> bool:
        """Tell whether strips and tiles are runs of one bit, as in facsimiles."""
        return self.number(COMPRESSION, 1) in FAX

    @property
    def is_tiled(self) -> bool:
        """Tell whether the image is stored in tiles instead of strips."""
        return TILES in self.tags

    def spans(self) -> list[tuple[int, int]]:
        """Return the place and length of every strip or tile."""
        tags = (TILES, TILE_BYTES) if self.is_tiled else (STRIPS, STRIP_BYTES)
        # counted before they are listed: a hostile table is as long as the file, on every page
        counts = [self.tags[tag].count if tag in self.tags else 0 for tag in tags]
        path, needed = self.reader.path, self._grid[0]
        require(path, counts[0] == counts[1] >= needed > 0, f"{counts[0]} strips, {counts[1]} lengths for {needed}")
        require(path, counts[0] <= len(self.reader.data) // 4, "more strips than it has room for")
        return list(zip(*(self.numbers(tag) for tag in tags), strict=True))

    @property
    def pixel_bytes(self) -> int:
        """Return the most bytes that all strips or tiles together inflate to."""
        return self._grid[0] * self.strip_bytes(0)[1]

    def strip_rows(self, index: int) -> int:
        """Return how many rows a strip or tile holds at least: the last strip may be lower."""
        rows, height = self._grid[1], self.number(HEIGHT, 0)
        return rows if self.is_tiled else min(rows, height - index % -(-height // rows) * rows)

    def strip_bytes(self, index: int) -> tuple[int, int]:
        """Return the least and the most bytes that a strip or tile inflates to."""
        _, rows, columns = self._grid
        samples = 1 if self.number(PLANAR, 1) == 2 else self.number(SAMPLES, 1)
        row_bytes = -(-columns * samples * self.number(BITS, 1) // 8)
        least = self.strip_rows(index)
        return 0 if self.number(PHOTOMETRIC, 1) == _YCBCR else least * row_bytes, rows * row_bytes

    @cached_property
    def _grid(self) -> tuple[int, int, int]:
        """Return the number of strips or tiles, and the rows and columns of each."""
        width, height = self.number(WIDTH, 0), self.number(HEIGHT, 0)
        rows, columns = min(self.number(ROWS_PER_STRIP, height), height), width
        if self.is_tiled:
            rows, columns = self.number(TILE_HEIGHT, 0), self.number(TILE_WIDTH, 0)
        require(self.reader.path, min(width, height, rows, columns) > 0, "an image or strips without pixels")
        planes = self.number(SAMPLES, 1) if self.number(PLANAR, 1) == 2 else 1
        return planes * -(-height // rows) * -(-width // columns), rows, columns


class Reader:
    """Walk the directories of a TIFF, each byte of them at most once.

    Args:
        path: The file, for messages.
        data: Its bytes.

    Attributes:
        reach: Where what has been read of it ends: directories, values of tags, and the strips told to `extend`.

    Raises:
        DataError: The header is not that of a TIFF.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data, self.reach = path, data, 0
        self.order = "<" if data[:2] == b"II" else ">"
        version = self._integer(2, 2)
        require(path, version in (42, 43), f"version {version} in its header")
        self.is_big = version == 43
        # bytes of an offset, and of a directory's number of entries
        self.word, self.head = (8, 8) if self.is_big else (4, 2)

    def pages(self) -> Iterator[Page]:
        """Yield the directories in order."""
        offset = self._integer(8, 8) if self.is_big else self._integer(4, 4)
        require(self.path, offset > 0, "no image")
        room, entry = len(self.data), 4 + 2 * self.word
        while offset:
            count = self._integer(offset, self.head)
            end = offset + self.head + count * entry
            room -= end - offset + self.word
            # directories in a circle, or inside each other, take more bytes than there are
            require(self.path, room >= 0, "directories that overlap or never end")
            following = self._integer(end, self.word)
            yield self._page(range(offset + self.head, end, entry))
            offset = following

    def _page(self, entries: range) -> Page:
        """Return a directory, whose tags have to be in order, as the standard wants them."""
        tags, places, last = {}, {}, -1
        for entry in entries:
            number, kind = self._integer(entry, 2), self._integer(entry + 2, 2)
            require(self.path, number > last, f"tag {number} behind tag {last}")
            count, last = self._integer(entry + 4, self.word), number
            values: tuple[int, ...] = ()
            place = self._place(entry, count * _SIZES.get(kind, 0))
            end = place + count * _SIZES.get(kind, 0)
            if (number in KEPT and kind in _INTEGERS) or (number == DESCRIPTION and kind == _TEXT):
                require(self.path, end <= len(self.data), f"values of tag {number} behind the file's end")
                places[number] = _INTEGERS.get(kind, "u1"), count, place
            if number in KEPT and kind in _INTEGERS:
                dtype = self.order + _INTEGERS[kind]
                values = tuple(np.frombuffer(self.data, dtype, min(count, _FEW), place).tolist())
            self.extend(end)
            tags[number] = Tag(kind, count, values)
        return Page(self, tags, places)

    def extend(self, end: int) -> None:
        """Take note that something ends at a place, which may be behind the file's end."""
        self.reach = max(self.reach, end)

    def _place(self, entry: int, size: int) -> int:
        """Return where the values of a tag lie: in its entry if they are few."""
        place = entry + 4 + self.word
        return self._integer(place, self.word) if size > self.word else place

    def _integer(self, place: int, size: int) -> int:
        """Return the unsigned integer at a place."""
        require(self.path, place + size <= len(self.data), "the end of the file inside a directory")
        self.extend(place + size)
        return int.from_bytes(self.data[place : place + size], "little" if self.order == "<" else "big")


def require(path: Path, condition: bool, found: str) -> None:
    """Refuse the file unless the condition holds."""
    if not condition:
        raise DataError(path, "an undamaged TIFF", found, _REMEDY)
