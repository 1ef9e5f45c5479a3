"""Headers of a source series, mended so that a segmentation can refer to them: valid values, and no identifier missing.

The source files themselves are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import DataElement

# what a segmentation needs of each single-frame source image beside the first
_PLACE = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality"),
    *("Rows", "Columns", "PixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient"),
)
# type 2: they are in the segmentation, with a value or without
_BLANK = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "ReferringPhysicianName"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "PositionReferenceIndicator"),
)
# links of a patient's images, which a made-up value would cut in silence
_NEEDED = ("PatientID", "StudyInstanceUID")
_IN_META = {"SOPInstanceUID": "MediaStorageSOPInstanceUID", "SOPClassUID": "MediaStorageSOPClassUID"}
_OF_SERIES = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_SEXES = ("M", "F", "O", "")
_PIXEL_GROUP = 0x7FE0
_UID = re.compile(r"[0-9.]{1,64}")  # scanners write numbers with leading zeros too: a link must stay as it is
_SAME_SPACING = 0.01  # part of the spacing, as for slices


@dataclass(frozen=True)
class Source:
    """The images that a segmentation refers to.

    Args:
        headers: Without pixels, one per slice or one of a multi-frame file; they may be changed.
        messages: What had to be done to them.
    """

    headers: list[Dataset]
    messages: list[str]


def mend_headers(headers: Sequence[Dataset], content: str, spacing_mm: float, frame: int | None = None) -> Source:
    """Return copies of the headers of one series that have all identifiers and only valid values.

    Identifiers come from the file's own meta information where the data set has none, and else from the content: the
    same files always get the same ones. Values that DICOM does not allow are left out, as a segmentation would
    inherit them; identifiers of digits and dots stay. SpacingBetweenSlices is that of the slices' places.

    Args:
        headers: In the order of the slices, or one of a multi-frame file.
        content: A hash of the files.
        spacing_mm: Distance between slices, which stands in for a missing SliceThickness.
        frame: A frame of a multi-frame file, from 0, that stands for all of them in geometry.

    Raises:
        ValueError: The patient or the study has an identifier that cannot be written.
    """
    from pydicom.valuerep import format_number_as_ds

    dropped: set[str] = set()
    for keyword in _NEEDED:
        if any(not _is_writable(header, keyword) for header in headers):
            raise ValueError(f"the source has a {keyword} that DICOM does not allow, and nothing can stand in for it")
    mended = [_valid(headers[0], dropped), *(_placed(header, dropped) for header in headers[1:])]
    messages = _identify(headers, mended, content)
    dropped -= {*_IN_META, *_OF_SERIES}  # told as identifiers
    first = mended[0]
    for keyword in _BLANK:
        if keyword not in first:
            setattr(first, keyword, "")
    if first.PatientSex not in _SEXES:
        first.PatientSex = ""
        dropped.add("PatientSex")
    first.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, which holds the names of all structures as well
    measures = first if frame is None else _shared_measures(first, frame)
    count = len(headers) if frame is None else len(first.PerFrameFunctionalGroupsSequence)
    if count > 1:
        messages += _state_spacing(measures, spacing_mm)
    if repeated := len(mended) - len({header.SOPInstanceUID for header in mended}):
        messages.append(
            f"{repeated} images of the source have the SOPInstanceUID of another: references to them lead to several"
        )
    if not measures.get("SliceThickness"):
        measures.SliceThickness = format_number_as_ds(spacing_mm)
        messages.append("the source has no SliceThickness: the DICOM-SEG has the distance between its slices")
    if dropped:
        messages.append(f"values that DICOM does not allow are left out of the DICOM-SEG: {', '.join(sorted(dropped))}")
    return Source(mended, messages)


def _placed(header: Dataset, dropped: set[str]) -> Dataset:
    """Return what places an image and names it."""
    from pydicom import Dataset

    kept = Dataset()
    for keyword in _PLACE:
        if keyword in header:
            kept[keyword] = header[keyword]
    return _valid(kept, dropped)


def _valid(dataset: Dataset, dropped: set[str]) -> Dataset:
    """Return a copy with the public elements whose values may be written, in sequences too."""
    from pydicom import Dataset
    from pydicom.datadict import keyword_for_tag

    kept = Dataset()
    for tag in list(dataset.keys()):
        if tag.is_private or tag.group == _PIXEL_GROUP or tag.element == 0:
            continue
        try:
            element = dataset[tag]
            element = _valid_element(element, dropped)
        except (ValueError, TypeError, NotImplementedError, LookupError, OverflowError):  # pydicom's on bad values
            dropped.add(keyword_for_tag(tag) or str(tag))
            continue
        kept.add(element)
    return kept


def _valid_element(element: DataElement, dropped: set[str]) -> DataElement:
    """Return an element of its own, or raise what pydicom says of a value that is not allowed."""
    from pydicom import config
    from pydicom.dataelem import DataElement
    from pydicom.sequence import Sequence as Items
    from pydicom.valuerep import validate_value

    if element.VR == "UI" and _is_uid(element.value):
        return DataElement(element.tag, "UI", element.value, validation_mode=config.IGNORE)
    if element.VR == "SQ":
        return DataElement(element.tag, "SQ", Items([_valid(item, dropped) for item in element.value]))
    values = element.value if element.VM > 1 else [element.value]
    for value in values:
        if value is not None:
            validate_value(element.VR, _checkable(element.VR, value), config.RAISE)
    return DataElement(element.tag, element.VR, element.value, validation_mode=config.RAISE)


def _checkable(representation: str, value: Any) -> Any:  # noqa: ANN401 -- any value of an element
    """Return a value in the form that is checked: numbers that are stored as text as that text."""
    if representation in ("DS", "IS") and not isinstance(value, str):
        return getattr(value, "original_string", None) or str(value)
    return value


def _identify(headers: Sequence[Dataset], mended: Sequence[Dataset], content: str) -> list[str]:
    """Give every header its identifiers; return what was made up."""
    found: set[str] = set()
    made: dict[str, str] = {}
    for index, (header, kept) in enumerate(zip(headers, mended, strict=True)):
        for keyword, in_meta in _IN_META.items():
            if _is_uid(kept.get(keyword)):
                continue
            value = getattr(header, "file_meta", {}).get(in_meta)
            if _is_uid(value):
                found.add(keyword)
            else:
                made[keyword] = "invalid" if header.get(keyword) or value else made.get(keyword, "absent")
                value = _class_of(kept) if keyword == "SOPClassUID" else _derived(content, keyword, index)
            setattr(kept, keyword, value)
    for keyword in _OF_SERIES:
        if not _is_uid(mended[0].get(keyword)):
            made[keyword] = "invalid" if headers[0].get(keyword) else "absent"
            for kept in mended:
                setattr(kept, keyword, _derived(content, keyword))
    messages = []
    if found:
        messages.append(f"the source has {', '.join(sorted(found))} in its file meta information alone")
    for state, said in (("absent", "no"), ("invalid", "an invalid")):
        if names := ", ".join(sorted(keyword for keyword in made if made[keyword] == state)):
            messages.append(
                f"the source has {said} {names}: the DICOM-SEG has made-up ones, and links by them lead nowhere"
            )
    return messages


def _is_uid(value: object) -> bool:
    """Tell whether an identifier can be written, whether or not it keeps to all rules (PS3.5, 9.1)."""
    return isinstance(value, str) and _UID.fullmatch(value) is not None


def _is_writable(header: Dataset, keyword: str) -> bool:
    """Tell whether a value is missing, or can stand in a segmentation as it is."""
    if keyword not in header:
        return True
    try:
        element = header[keyword]
        if element.value:
            _valid_element(element, set())
    except (ValueError, TypeError, NotImplementedError, LookupError, OverflowError):  # pydicom's on bad values
        return False
    return True


def _state_spacing(measures: Dataset, spacing_mm: float) -> list[str]:
    """Set the distance between slices to the one that they have; return what was wrong with the stated one."""
    from pydicom.valuerep import format_number_as_ds

    stated = measures.get("SpacingBetweenSlices")
    measures.SpacingBetweenSlices = format_number_as_ds(spacing_mm)
    if stated is None or abs(float(stated) - spacing_mm) <= _SAME_SPACING * spacing_mm:
        return []
    return [f"the source states slices {float(stated):g} mm apart; the DICOM-SEG has {spacing_mm:g} mm, as they lie"]


def _derived(content: str, *names: object) -> str:
    """Return an identifier that belongs to the content and the names."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=[content, *map(str, names)]))


def _class_of(header: Dataset) -> str:
    """Return the class of images of the header's modality."""
    from pydicom import uid

    known = {"CT": uid.CTImageStorage, "MR": uid.MRImageStorage, "PT": uid.PositronEmissionTomographyImageStorage}
    return str(known.get(header.get("Modality"), uid.SecondaryCaptureImageStorage))


def _shared_measures(header: Dataset, frame: int) -> Dataset:
    """Put direction and spacing, which all frames share, among what is shared, and the place to each frame.

    Returns:
        The item that holds spacing and thickness.
    """
    from pydicom import Dataset

    shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    own = header.PerFrameFunctionalGroupsSequence[frame]
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if keyword not in shared[0] and keyword in own:
            shared[0][keyword] = own[keyword]
    for item in header.PerFrameFunctionalGroupsSequence:
        if "PlanePositionSequence" not in item and "PlanePositionSequence" in shared[0]:
            item["PlanePositionSequence"] = shared[0]["PlanePositionSequence"]
    header.SharedFunctionalGroupsSequence = shared
    measures: Dataset = shared[0].PixelMeasuresSequence[0]
    return measures
