"""What a DICOM header says of each of its frames: place, scaling, and what tells parts of a 4-D series apart."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

MALFORMED = "export the series again, from the scanner's archive if there is one"
_UNIT_TOLERANCE = 1e-3  # direction cosines are stored with few digits
# (name, functional group of enhanced frames or "", keyword), in the order in which they are tried
_PARTS = (
    ("echo", "", "EchoNumbers"),
    ("echo time", "", "EchoTime"),
    ("echo time", "MREchoSequence", "EffectiveEchoTime"),
    ("temporal position", "", "TemporalPositionIdentifier"),
    ("temporal position", "FrameContentSequence", "TemporalPositionIndex"),
    ("b-value", "", "DiffusionBValue"),
    ("b-value", "MRDiffusionSequence", "DiffusionBValue"),
    ("gradient", "", "DiffusionGradientOrientation"),
    ("gradient", "MRDiffusionSequence", "MRDiffusionGradientOrientation"),
    ("inversion time", "", "InversionTime"),
    ("trigger time", "", "TriggerTime"),
    ("trigger delay", "CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ("image type", "", "ImageType"),
    ("frame type", "MRImageFrameTypeSequence", "FrameType"),
    ("frame type", "CTImageFrameTypeSequence", "FrameType"),
    ("stack", "FrameContentSequence", "StackID"),
    ("acquisition", "", "AcquisitionNumber"),
    ("acquisition", "FrameContentSequence", "FrameAcquisitionNumber"),
)


@dataclass(frozen=True)
class Slice:
    """Hold what is known of one frame before its pixels are decoded.

    Args:
        path: The file.
        frame: The frame in the file, counted from 0.
        rows: Length of a column, in pixels.
        columns: Length of a row, in pixels.
        position: Centre of the first pixel, in LPS mm; None where the header has none.
        orientation: Directions of growing column and of growing row, in LPS; None where the header has none.
        spacing: Distance between rows and between columns, in mm; None where the header has none.
        thickness: Stated distance to a neighbouring slice in mm, else the slice's thickness, else None.
        slope: Factor from stored numbers to intensities.
        intercept: What is added after it.
        is_rescaled: The header has a slope and an intercept.
        photometric: Photometric interpretation.
        padding: PixelPaddingValue, a stored number that stands for "no measurement" where there is one.
        marks: (name, value) of what tells the parts of a 4-D series apart.
    """

    path: Path
    frame: int
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    thickness: float | None
    slope: float
    intercept: float
    is_rescaled: bool
    photometric: str
    padding: int | None
    marks: tuple[tuple[str, str], ...]


def slices_of(path: Path, header: Dataset) -> tuple[Slice, ...]:
    """Return one Slice per frame of a file.

    Raises:
        DataError: A number is not finite or not plausible, or the frames are not described one by one.
    """
    frames = integer(path, header, "NumberOfFrames", default=1)
    shared = header.get("SharedFunctionalGroupsSequence") or []
    described = header.get("PerFrameFunctionalGroupsSequence") or []
    if not described and not shared:
        if frames != 1:
            found = f"{frames} frames and no functional groups"
            raise DataError(path, "one image, or frames that are placed one by one", found, MALFORMED)
        return (_slice(path, 0, [header], header),)
    if len(described) != frames or not frames:
        expected = f"{frames} frames, as its header states"
        raise DataError(path, expected, f"functional groups of {len(described)}", MALFORMED)
    return tuple(_slice(path, index, [item, *shared[:1], header], header) for index, item in enumerate(described))


def integer(path: Path, header: Dataset, keyword: str, *, default: int | None = None) -> int:
    """Return a number of the header that must be whole and not negative.

    Raises:
        DataError: It is missing and there is no default, or it is something else.
    """
    value = header.get(keyword)
    if _is_empty(value):
        if default is None:
            raise DataError(path, f"a {keyword}", "none", MALFORMED)
        return default
    if not isinstance(value, int) or value < 0:
        raise DataError(path, f"a whole number as {keyword}", repr(value), MALFORMED)
    return int(value)


def _slice(path: Path, index: int, groups: list[Dataset], header: Dataset) -> Slice:
    """Gather what the functional groups, from the frame's own to the whole file's, say of a frame."""
    spacing = _numbers(path, _find(groups, "PixelMeasuresSequence", "PixelSpacing"), "PixelSpacing", 2)
    if spacing and min(spacing) <= 0:
        raise DataError(path, "a PixelSpacing above 0 mm", str(spacing), MALFORMED)
    slope, intercept = _rescaling(path, groups)
    return Slice(
        path=path,
        frame=index,
        rows=integer(path, header, "Rows"),
        columns=integer(path, header, "Columns"),
        position=_numbers(
            path, _find(groups, "PlanePositionSequence", "ImagePositionPatient"), "ImagePositionPatient", 3
        ),
        orientation=_orientation(path, groups),
        spacing=spacing,
        thickness=_thickness(path, groups),
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        is_rescaled=slope is not None,
        photometric=str(header.get("PhotometricInterpretation") or "MONOCHROME2"),
        padding=_padding(header),
        marks=_marks(groups),
    )


def _rescaling(path: Path, groups: list[Dataset]) -> tuple[float | None, float | None]:
    """Return slope and intercept, both of them or neither."""
    found = [
        _number(path, _find(groups, "PixelValueTransformationSequence", keyword), keyword)
        for keyword in ("RescaleSlope", "RescaleIntercept")
    ]
    if found[0] == 0 or (found[0] is None) != (found[1] is None):
        raise DataError(path, "a RescaleSlope other than 0 and a RescaleIntercept, or neither", str(found), MALFORMED)
    return found[0], found[1]


def _orientation(path: Path, groups: list[Dataset]) -> tuple[float, ...] | None:
    """Return the six direction cosines, which are of two perpendicular unit vectors."""
    keyword = "ImageOrientationPatient"
    cosines = _numbers(path, _find(groups, "PlaneOrientationSequence", keyword), keyword, 6)
    if cosines is None:
        return None
    row, column = cosines[:3], cosines[3:]
    products = (math.hypot(*row) - 1, math.hypot(*column) - 1, sum(a * b for a, b in zip(row, column, strict=True)))
    if max(abs(value) for value in products) > _UNIT_TOLERANCE:
        raise DataError(path, f"two perpendicular unit vectors as {keyword}", str(cosines), MALFORMED)
    return cosines


def _padding(header: Dataset) -> int | None:
    """Return the stored number of pixels that were not measured."""
    value = header.get("PixelPaddingValue")
    return value if isinstance(value, int) else None


def _thickness(path: Path, groups: list[Dataset]) -> float | None:
    """Return the stated distance of slices, which a single slice takes its third spacing from."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        value = _number(path, _find(groups, "PixelMeasuresSequence", keyword), keyword)
        if value:
            return abs(value)  # some scanners store the distance with the sign of the table's way
    return None


def _marks(groups: list[Dataset]) -> tuple[tuple[str, str], ...]:
    """Return the values by which parts of a 4-D series may differ."""
    found = (
        (name, _in_groups(groups[:-1], sequence, keyword) if sequence else groups[-1].get(keyword))
        for name, sequence, keyword in _PARTS
    )
    return tuple((name, _text(value)) for name, value in found if not _is_empty(value))


def _find(groups: list[Dataset], sequence: str, keyword: str) -> object:
    """Return the first value of a keyword, in a functional group or else in the header itself."""
    value = _in_groups(groups[:-1], sequence, keyword)
    return groups[-1].get(keyword) if value is None else value


def _in_groups(groups: list[Dataset], sequence: str, keyword: str) -> object:
    """Return the first value of a keyword in a functional group; None where there is none."""
    for group in groups:
        items = group.get(sequence)
        if items and not _is_empty(items[0].get(keyword)):
            return items[0].get(keyword)
    return None


def _is_empty(value: object) -> bool:
    """Tell whether an element is missing or has no value."""
    return value is None or value == "" or (isinstance(value, MutableSequence) and not value)


def _text(value: object) -> str:
    """Return a value as text, several of them as DICOM joins them."""
    return "\\".join(str(part) for part in value) if isinstance(value, MutableSequence) else str(value)


def _number(path: Path, value: object, keyword: str) -> float | None:
    """Return a finite number, or None for a missing one."""
    numbers = _numbers(path, value, keyword, 1)
    return numbers[0] if numbers else None


def _numbers(path: Path, value: object, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return finite numbers, or None where the header has none."""
    if _is_empty(value):
        return None
    parts: Sequence[Any] = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    try:
        numbers = tuple(float(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise DataError(path, f"{count} numbers as {keyword}", repr(value), MALFORMED) from error
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise DataError(path, f"{count} finite numbers as {keyword}", repr(value), MALFORMED)
    return numbers
