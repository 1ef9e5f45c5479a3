"""Which tags of a TIFF page can be true together: they have no checksum, and a decoder believes all of them.

The rules are such that in a page of deflate strips no single changed bit turns one valid page into another, as far as
its tags bear on the pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES = 256, 257, 258, 259, 262, 274, 277
STRIPS, ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR = 273, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, EXTRA, FORMAT = 322, 323, 324, 325, 338, 339
DESCRIPTION = 270  # text
FAX = (2, 3, 4)  # compressions of facsimiles
DEFLATE = (8, 32946)  # Adobe's number and the older one, both zlib streams with a checksum
KEPT = frozenset((
    WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, STRIPS, ROWS_PER_STRIP, STRIP_BYTES, PLANAR,
    PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, EXTRA, FORMAT,
))  # fmt: skip
_SINGLE = KEPT - {BITS, STRIPS, STRIP_BYTES, TILES, TILE_BYTES, EXTRA, FORMAT}
_SHORT = 3  # field type
_COMPRESSIONS = (1, *FAX, 5, 7, 32773, *DEFLATE)  # none, those of facsimiles, LZW, JPEG, PackBits
_COLOURS = {1: 1, 2: 3}  # samples of black-is-zero and of RGB
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_LEAST_FLOAT = 1 << 23  # the smallest normal float32, seen as an integer
_REMEDY = "fetch or export the file again: it was cut short or damaged"
_RESAVE = "save it as grey or RGB without a predictor, or as PNG"


@dataclass(frozen=True)
class Tag:
    """One entry of a directory.

    Args:
        kind: Its field type as a number.
        count: How many values it has.
        values: The first of them, where they are integers and the tag is one of KEPT.
    """

    kind: int
    count: int
    values: tuple[int, ...]


def check_tags(path: Path, tags: Mapping[int, Tag]) -> None:
    """Refuse a page whose tags contradict each other, or that is compressed in a way that is not decoded.

    Args:
        path: The file, for messages.
        tags: By number; all that the page has.

    Raises:
        DataError: See above.
    """
    for number in tags.keys() & KEPT:
        tag = tags[number]
        _require(path, bool(tag.values), f"tag {number} with {tag.count} values of type {tag.kind}")
        _require(path, number not in _SINGLE or tag.count == 1, f"{tag.count} values of tag {number}")
    compression, samples = _first(tags, COMPRESSION, 1), _first(tags, SAMPLES, 1)
    for number in tags.keys() & {BITS, FORMAT}:
        _require(path, tags[number].count in (1, samples), f"{tags[number].count} values of tag {number}")
    if compression not in _COMPRESSIONS:
        expected = "a TIFF without compression, or with deflate, LZW, PackBits or JPEG"
        raise DataError(path, expected, f"compression {compression}", "save it with one of these, or as PNG")
    if compression in DEFLATE:
        _check_deflate(path, tags, samples)


def check_numbers(path: Path, pixels: NDArray[Any]) -> None:
    """Refuse floating-point pixels that are integers by their bits, and the reverse.

    Which of them 32 bits are is said by one bit of a tag without a checksum.

    Raises:
        DataError: No pixel but 0 is a number that such an image has.
    """
    if pixels.dtype.itemsize < np.dtype(np.float32).itemsize:
        return
    seen = pixels[pixels != 0]
    if pixels.dtype.kind == "f":
        odd = ~(np.abs(seen) >= np.finfo(pixels.dtype).tiny)
    else:
        odd = np.abs(seen.astype(np.float64)) >= _LEAST_FLOAT
    if seen.size and odd.all():
        _require(path, False, f"{pixels.dtype} pixels that look like numbers of another type")


def _check_deflate(path: Path, tags: Mapping[int, Tag], samples: int) -> None:
    colours = _COLOURS.get(_first(tags, PHOTOMETRIC, -1))
    if colours is None or samples < colours or (EXTRA in tags and tags[EXTRA].count != samples - colours):
        found = f"photometric interpretation {_first(tags, PHOTOMETRIC, -1)} of {samples} samples"
        raise DataError(path, "a TIFF in grey (black is 0) or RGB", found, _RESAVE)
    kinds = set(tags[FORMAT].values) if FORMAT in tags else {_UNSIGNED}
    bits = _first(tags, BITS, 1)
    _require(path, kinds in ({_UNSIGNED}, {_SIGNED}) or (kinds == {_FLOAT} and bits >= 32), f"sample formats {kinds}")
    predictor = _first(tags, PREDICTOR, 1)
    allowed = (1, 2) if kinds != {_FLOAT} else (3,)
    if PREDICTOR in tags and predictor not in allowed:
        expected = f"predictor {' or '.join(map(str, allowed))} for this type of pixels, or no such tag"
        raise DataError(path, expected, f"predictor {predictor}", _RESAVE)
    for number in {PREDICTOR, FORMAT} - tags.keys():
        near = [other for other in tags.keys() - KEPT if (other ^ number).bit_count() == 1]
        alike = [other for other in near if tags[other].kind == _SHORT and tags[other].count in (1, samples)]
        _require(path, not alike, f"tag {alike}, which is {number} but for one bit")


def _first(tags: Mapping[int, Tag], number: int, default: int) -> int:
    return tags[number].values[0] if number in tags else default


def _require(path: Path, condition: bool, found: str) -> None:
    if not condition:
        raise DataError(path, "an undamaged TIFF", found, _REMEDY)
