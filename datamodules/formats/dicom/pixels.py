"""Stored numbers of DICOM frames: native ones viewed, encoded ones decoded, within bounds that are checked before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.dicom.decoders import FrameFormat, decode_frames
from datamodules.formats.dicom.frames import MALFORMED, integer
from datamodules.formats.dicom.guard import Guard
from datamodules.formats.dicom.headers import DAMAGED, naming, read_whole
from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

logger = logging.getLogger(__name__)

_NATIVE = (
    "1.2.840.10008.1.2",  # implicit VR, little endian
    "1.2.840.10008.1.2.1",  # explicit VR, little endian
    "1.2.840.10008.1.2.1.99",  # the same, deflated
    "1.2.840.10008.1.2.2",  # explicit VR, big endian
)
_GREY = ("MONOCHROME1", "MONOCHROME2")


def stored_frames(path: Path, frames: Sequence[int], guard: Guard) -> list[NDArray[Any]]:
    """Read frames of a file as they are stored.

    Args:
        path: A DICOM file.
        frames: Which frames, counted from 0.
        guard: The process for decoders that may crash.

    Returns:
        Integers [rows, columns] per frame, signed or unsigned as the header says.

    Raises:
        DataError: The pixel data is not what the header states, or cannot be decoded.
    """
    dataset = read_whole(path)
    with naming(path):
        form = _frame_format(path, dataset)
        count = integer(path, dataset, "NumberOfFrames", default=1)
        if "PixelData" not in dataset:
            raise DataError(path, "pixel data of whole numbers", "none", DAMAGED)
        if form.syntax in _NATIVE:
            native = _native(path, dataset, form, count)
            return [native[index] for index in frames]
        return decode_frames(path, dataset, form, count, frames, guard)


def _frame_format(path: Path, dataset: Dataset) -> FrameFormat:
    """Gather what the header says of a frame's numbers, and refuse what is no grey image of whole numbers."""
    from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    guessed = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    form = FrameFormat(
        syntax=UID(dataset.file_meta.get("TransferSyntaxUID") or guessed),
        rows=integer(path, dataset, "Rows"),
        columns=integer(path, dataset, "Columns"),
        bits_allocated=integer(path, dataset, "BitsAllocated"),
        bits_stored=integer(path, dataset, "BitsStored"),
        is_signed=bool(integer(path, dataset, "PixelRepresentation")),
    )
    samples, photometric = dataset.get("SamplesPerPixel", 1), dataset.get("PhotometricInterpretation", _GREY[1])
    if samples != 1 or photometric not in _GREY:
        found = f"{photometric} of {samples} samples"
        raise DataError(path, "a grey image", found, "leave colour images out of the series")
    high = integer(path, dataset, "HighBit", default=form.bits_stored - 1)
    if form.bits_allocated not in (8, 16, 32) or not 0 < form.bits_stored <= form.bits_allocated:
        found = f"{form.bits_stored} bits stored of {form.bits_allocated} allocated"
        raise DataError(path, "8, 16 or 32 bits allocated, and no more stored", found, MALFORMED)
    if high != form.bits_stored - 1 or integer(path, dataset, "PixelRepresentation") > 1:
        found = f"high bit {high} and PixelRepresentation {dataset.PixelRepresentation}"
        raise DataError(path, f"high bit {form.bits_stored - 1} and PixelRepresentation 0 or 1", found, MALFORMED)
    if "ModalityLUTSequence" in dataset:
        raise DataError(path, "RescaleSlope and RescaleIntercept", "a ModalityLUTSequence", MALFORMED)
    return form


def _native(path: Path, dataset: Dataset, form: FrameFormat, count: int) -> NDArray[Any]:
    """View uncompressed pixel data as [frames, rows, columns], bits that are not stored masked off."""
    element = dataset["PixelData"]
    data, little = element.value, dataset.original_encoding[1]
    size = count * form.rows * form.columns * form.bits_allocated // 8
    excess = len(data) - size
    if excess > size % 2 and count == 1 and not any(data[size:]):
        logger.info("%s: %d bytes of zeros behind the pixels are passed over", path, excess)
    elif excess not in (0, size % 2):
        found = f"{len(data)} bytes of pixel data, {abs(excess)} too {'many' if excess > 0 else 'few'}"
        expected = f"{size} bytes for {count} frames of {form.columns} x {form.rows} x {form.bits_allocated} bits"
        raise DataError(path, expected, found, DAMAGED)
    data = data[: size + size % 2]
    if form.bits_allocated == 8 and not little and element.VR == "OW":
        # big-endian words of two 8-bit pixels each
        data = np.frombuffer(data, dtype=">u2").astype("<u2").tobytes()
    kind = np.dtype(f"{'<' if little else '>'}{'i' if form.is_signed else 'u'}{form.bits_allocated // 8}")
    array = np.frombuffer(data[:size], dtype=kind).astype(kind.newbyteorder("="), copy=False)
    unused = form.bits_allocated - form.bits_stored
    if unused:
        array = (array << unused) >> unused  # a signed number is extended by its own sign
    return array.reshape(count, form.rows, form.columns)
