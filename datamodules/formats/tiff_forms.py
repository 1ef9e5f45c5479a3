"""What a TIFF page decodes to, and which kinds of pages the decoder would give wrongly without a word.

OpenCV reads 8 bits and fewer through libtiff's RGBA interface, which takes the first sample of grey pages, inverts
where white is 0, and multiplies colours by an alpha that is not in them yet; it reads deeper pages strip by strip as
they are stored, whatever their planes. A page of 1 bit comes as 0 and 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.tiff_tags import BITS, EXTRA, FORMAT, HEIGHT, PHOTOMETRIC, PLANAR, SAMPLES, WIDTH, Tag

_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6  # photometric interpretations
_SEPARATE = 2  # planes
_UNASSOCIATED = 2  # alpha that colours have not been multiplied by
_TYPES = {(1, 1): "u1"} | {
    (code, bits): f"{kind}{bits // 8}"
    for code, kind, depths in ((1, "u", (8, 16, 32, 64)), (2, "i", (8, 16, 32, 64)), (3, "f", (32, 64)))
    for bits in depths
}  # sample format and bits to NumPy type
_RESAVE = "save it as grey or RGB with one sample after the other, or as PNG"
_REFETCH = "fetch or export the file again: it was cut short, damaged, or is another format"


@dataclass(frozen=True)
class Form:
    """What a page decodes to.

    Args:
        shape: [rows, columns], or [rows, columns, channels] of colours.
        dtype: The type of its pixels.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def page_form(path: Path, tags: Mapping[int, Tag]) -> Form:
    """Return what a page decodes to by its tags.

    Args:
        path: The file, for messages.
        tags: By number; checked by `check_tags`.

    Raises:
        DataError: The page is of a kind that is not decoded as it is stored.
    """
    samples, photometric = _first(tags, SAMPLES, 1), _first(tags, PHOTOMETRIC, -1)
    depths, formats = set(_all(tags, BITS, 1)), set(_all(tags, FORMAT, 1))
    bits = _first(tags, BITS, 1)
    dtype = _TYPES.get((_first(tags, FORMAT, 1), bits))
    if dtype is None or len(depths) > 1 or len(formats) > 1:
        expected = "unsigned samples of 1, 8, 16, 32 or 64 bits, signed ones of 8 and more, or real ones of 32 or 64"
        found = f"{sorted(depths)} bits of sample format {sorted(formats)}"
        raise DataError(path, expected, found, "save it with 8 or 16 bits for each sample")
    shape: tuple[int, ...] = (_first(tags, HEIGHT, 0), _first(tags, WIDTH, 0))
    channels = _channels(photometric, samples, bits)
    if channels is None:
        found = f"photometric interpretation {photometric} of {samples} samples of {bits} bits"
        raise DataError(path, "a TIFF in grey (black is 0) or RGB", found, _RESAVE)
    if samples > 1 and _first(tags, PLANAR, 1) == _SEPARATE and bits != 8:
        raise DataError(path, "the samples of a pixel together", f"separate planes of {bits} bits", _RESAVE)
    if bits == 8 and _UNASSOCIATED in _all(tags, EXTRA, 0):
        remedy = "save it as RGB without alpha, or as PNG"
        raise DataError(path, "colours without alpha, or multiplied by it", "unassociated alpha", remedy)
    return Form(shape if channels == 1 else (*shape, channels), np.dtype(dtype))


def check_decoded(path: Path, pixels: NDArray[Any], form: Form) -> None:
    """Refuse a page that was decoded to another shape or type than its tags say.

    Raises:
        DataError: It was.
    """
    if (pixels.shape, pixels.dtype) != (form.shape, form.dtype):
        expected = f"{form.dtype} pixels of shape {form.shape} [rows, columns, channels]"
        raise DataError(path, expected, f"{pixels.dtype} of shape {pixels.shape}", _REFETCH)


def _channels(photometric: int, samples: int, bits: int) -> int | None:
    """Return how many channels a page decodes to, None where they would not be what is stored."""
    if photometric == _WHITE_IS_ZERO:
        return 1 if (samples, bits) == (1, 1) else None
    if photometric == _GREY:  # deeper samples are given as they are stored
        return samples if samples == 1 or (samples in (3, 4) and bits >= 32) else None
    if photometric == _RGB:
        return samples if samples in (3, 4) and bits >= 8 else None
    whole = {_PALETTE: 1, _YCBCR: 3}  # both become RGB
    return 3 if (samples, bits) == (whole.get(photometric), 8) else None


def _all(tags: Mapping[int, Tag], number: int, default: int) -> tuple[int, ...]:
    return tags[number].values if number in tags else (default,)


def _first(tags: Mapping[int, Tag], number: int, default: int) -> int:
    return _all(tags, number, default)[0]
