"""Encoded DICOM frames decoded: which package decodes which transfer syntax, and the checks before it is let near."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.dicom.codestream import check_codestream
from datamodules.formats.dicom.guard import Guard
from datamodules.formats.dicom.headers import DAMAGED
from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

# transfer syntax -> pydicom's name of the decoder, what to install for it. One decoder each: another one would be
# another reading of a damaged stream
_DECODERS = {
    "1.2.840.10008.1.2.5": ("pydicom", "pydicom"),  # RLE
    "1.2.840.10008.1.2.4.50": ("pillow", "pillow"),  # JPEG baseline
    "1.2.840.10008.1.2.4.51": ("pillow", "pillow"),  # JPEG extended, of 8 bits
    "1.2.840.10008.1.2.4.57": ("gdcm", "python-gdcm"),  # JPEG lossless
    "1.2.840.10008.1.2.4.70": ("gdcm", "python-gdcm"),  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "pyjpegls"),  # JPEG-LS
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "pyjpegls"),  # JPEG-LS, near-lossless
    "1.2.840.10008.1.2.4.90": ("pillow", "pillow"),  # JPEG 2000, lossless
    "1.2.840.10008.1.2.4.91": ("pillow", "pillow"),  # JPEG 2000
    "1.2.840.10008.1.2.4.201": ("pylibjpeg", "pylibjpeg and pylibjpeg-openjpeg"),  # HTJ2K, lossless
    "1.2.840.10008.1.2.4.202": ("pylibjpeg", "pylibjpeg and pylibjpeg-openjpeg"),  # HTJ2K, lossless, by resolution
    "1.2.840.10008.1.2.4.203": ("pylibjpeg", "pylibjpeg and pylibjpeg-openjpeg"),  # HTJ2K
}
_EXTENDED = "1.2.840.10008.1.2.4.51"
_TWELVE_BITS = ("pylibjpeg", "pylibjpeg and pylibjpeg-libjpeg (GPL)")
_PLAIN_PIXELS = 1 << 27  # what any file may decode to; more only where it has the bytes for it
PIXELS_PER_BYTE = 1000  # air compresses a thousandfold; a stream that claims more is no image


@dataclass(frozen=True)
class FrameFormat:
    """Hold what a header says of the numbers of each frame.

    Args:
        syntax: The transfer syntax.
        rows: Length of a column.
        columns: Length of a row.
        bits_allocated: 8, 16 or 32.
        bits_stored: How many of them count.
        is_signed: Two's complement.
    """

    syntax: UID
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    is_signed: bool


def decode_frames(
    path: Path, dataset: Dataset, form: FrameFormat, count: int, frames: Sequence[int], guard: Guard
) -> list[NDArray[Any]]:
    """Decode frames of encapsulated pixel data.

    Args:
        path: The file, for messages.
        dataset: The whole data set.
        form: What its header says of a frame.
        count: Number of frames that the header states.
        frames: Which frames, counted from 0.
        guard: The process for decoders that may crash.

    Returns:
        Integers [rows, columns] per frame.

    Raises:
        DataError: There is no decoder, or the stream is not what the header says.
    """
    decoder = _decoder(path, form)
    if count * form.rows * form.columns > max(_PLAIN_PIXELS, PIXELS_PER_BYTE * len(dataset.PixelData)):
        found = f"{count} frames of {form.columns} x {form.rows} in {len(dataset.PixelData)} bytes"
        raise DataError(path, f"at most {PIXELS_PER_BYTE} pixels per byte", found, DAMAGED)
    encoded = _encoded_frames(path, dataset, count)
    for index in frames:
        check_codestream(path, encoded[index], form)
    if decoder == "gdcm":
        return [guard.decode(path, encoded[index], form) for index in frames]
    return [_decode(encoded[index], form, decoder) for index in frames]


def _decoder(path: Path, form: FrameFormat) -> str:
    """Return pydicom's name of the decoder of a syntax, or refuse and name the package to install."""
    from pydicom.pixels import get_decoder

    if form.syntax not in _DECODERS:
        remedy = "decompress the files, for instance with dcmtk's dcmdjpeg or gdcmconv --raw"
        raise DataError(path, "a transfer syntax of still images", f"{form.syntax.name} ({form.syntax})", remedy)
    twelve = form.syntax == _EXTENDED and form.bits_stored != 8
    decoder, package = _TWELVE_BITS if twelve else _DECODERS[form.syntax]
    if decoder not in get_decoder(form.syntax).available_plugins:
        found = f"the transfer syntax {form.syntax.name} ({form.syntax})"
        raise DataError(path, "a transfer syntax with a decoder", found, f"install {package}, or decompress the files")
    return decoder


def _encoded_frames(path: Path, dataset: Dataset, count: int) -> list[bytes]:
    """Return the encoded frames, which must be as many as the header states."""
    from pydicom.encaps import generate_frames

    offsets = None
    if "ExtendedOffsetTable" in dataset and "ExtendedOffsetTableLengths" in dataset:
        offsets = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    frames = list(_at_most(generate_frames(dataset.PixelData, number_of_frames=count, extended_offsets=offsets), count))
    if len(frames) != count:
        raise DataError(path, f"{count} encoded frames", f"{len(frames)} or more", DAMAGED)
    return frames


def _at_most(frames: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Yield frames, and one more than stated where there are more."""
    for index, frame in enumerate(frames):
        yield frame
        if index == count:
            return


def _decode(frame: bytes, form: FrameFormat, decoder: str) -> NDArray[Any]:
    """Decode one frame in this process."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    array, _ = get_decoder(form.syntax).as_array(
        encapsulate([frame]),
        raw=True,
        decoding_plugin=decoder,
        rows=form.rows,
        columns=form.columns,
        number_of_frames=1,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=form.bits_allocated,
        bits_stored=form.bits_stored,
        pixel_representation=int(form.is_signed),
        pixel_keyword="PixelData",
    )
    return np.ascontiguousarray(array)
