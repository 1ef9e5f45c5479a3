"""DICOM segmentations: the masks of a case as one SEG object that refers to the images they were made from."""

from __future__ import annotations

import copy
import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path
from datamodules.formats.dicom.privacy import keep_values_quiet
from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet
from pipeline.inference.dicom_codes import PRIVATE_SCHEME, concept_of, long_string
from pipeline.inference.dicom_source import mend_headers
from pipeline.tracking.environment import DISTRIBUTION

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.sr.coding import Code

    from datamodules.formats.dicom import SourceSlices

NOTHING_FOUND = "no structure was found, so no DICOM-SEG is written: it cannot be empty"
_SERIES_NUMBER = 1000  # added to the source's, so that both stand apart in a list
_LARGEST_NUMBER = 2**31 - 1 - _SERIES_NUMBER
# CIELab (L in percent, a, b) of the first ten colours of the overlays
_COLOURS = (
    *((48, -3, -39), (67, 43, 72), (58, -54, 49), (47, 65, 44), (51, 35, -39)),
    *((42, 21, 16), (64, 51, -20), (53, 0, 0), (74, -17, 70), (71, -32, -20)),
)


@dataclass(frozen=True)
class Origin:
    """What a segmentation was made by and from.

    Args:
        model_sha256: Hash of the model.
        content: Hash of the source files.
        fingerprint: Hash of source, model and settings; the identifiers of the segmentation come from it.
    """

    model_sha256: str
    content: str
    fingerprint: str


def write_segmentation(
    path: Path,
    indices: NDArray[Any],
    labels: LabelSet,
    slices: SourceSlices,
    origin: Origin,
    spacing_mm: float,
) -> list[str]:
    """Write the structures that occur as a binary DICOM segmentation, frame by frame on the source's slices.

    PS3.3 A.51 (Segmentation IOD) and C.8.20 (its modules); nothing is resampled.

    Args:
        path: The file; its folder exists.
        indices: Class indices [X, Y, Z] where X is the column, Y the row and Z the slice, or masks [K, X, Y, Z].
        labels: The structures.
        slices: Headers of the source in the order of Z.
        origin: What made it.
        spacing_mm: Distance between the slices.

    Returns:
        What there is to say about it. Where nothing was found no file is written, and an earlier one is removed.

    Raises:
        DataError: The source's headers are none that a segmentation can refer to.
    """
    present, frames = _segments(indices, labels)
    if not present:
        path.unlink(missing_ok=True)
        return [NOTHING_FOUND]
    numbers = _frame_numbers(path, slices)
    headers = [_of_frames(slices.headers[0], numbers)] if numbers else slices.headers
    keep_values_quiet()
    try:
        source = mend_headers(headers, origin.content, spacing_mm, 0 if numbers else None)
        segmentation = _segmentation(frames, present, labels, source.headers, origin)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # highdicom's on headers it cannot use
        found = f"{type(error).__name__}: {error}"
        remedy = "write the masks to NIfTI: --format nifti"
        raise DataError(path, "headers that a DICOM segmentation can refer to", found, remedy) from error
    if numbers:
        _refer_to(segmentation, numbers)
    with atomic_path(path) as temporary:
        segmentation.save_as(temporary, enforce_file_format=True)
    return source.messages


def _segments(indices: NDArray[Any], labels: LabelSet) -> tuple[list[int], NDArray[np.unsignedinteger[Any]]]:
    """Return which foreground structures occur, and frames [Z, Y, X] of 1, 2, ... or [Z, Y, X, K] of 0 and 1."""
    count = len(labels.names)
    if indices.ndim == 4:
        present = [index for index in range(count) if indices[index].any()]
        return present, np.ascontiguousarray((indices[present] != 0).astype(np.uint8).transpose(3, 2, 1, 0))
    # plane by plane, as counting takes eight bytes for each voxel
    counts = np.sum([np.bincount(plane.reshape(-1), minlength=count + 1) for plane in indices], axis=0)
    present = [index for index in range(count) if counts[index + 1]]
    table = np.zeros(count + 1, dtype=np.uint8 if len(present) < 256 else np.uint16)
    table[[index + 1 for index in present]] = np.arange(1, len(present) + 1)
    return present, np.ascontiguousarray(table[indices].transpose(2, 1, 0))


def _frame_numbers(path: Path, slices: SourceSlices) -> list[int]:
    """Return the frames of a multi-frame file that the slices are, from 1; none where each slice is a file."""
    enhanced = "PerFrameFunctionalGroupsSequence" in slices.headers[0]
    numbers = slices.frame_numbers or ([1] if enhanced else [])
    if numbers and len(slices.headers) > 1:
        found = f"{len(slices.headers)} files of several frames"
        remedy = "write the masks to NIfTI: --format nifti"
        raise DataError(path, "a source of single images, or one file of many frames", found, remedy)
    return numbers


def _of_frames(header: Dataset, numbers: list[int]) -> Dataset:
    """Return the header of a file as if it had some of its frames alone, in the order of the slices.

    Frames of other volumes of a 4-D file lie in the same places, which highdicom takes for an error.
    """
    part = copy.copy(header)
    part.PerFrameFunctionalGroupsSequence = [header.PerFrameFunctionalGroupsSequence[number - 1] for number in numbers]
    part.NumberOfFrames = len(numbers)
    return part


def _refer_to(segmentation: Dataset, numbers: list[int]) -> None:
    """Give references to frames the numbers that the frames have in the source's file."""
    groups = [*segmentation.SharedFunctionalGroupsSequence, *segmentation.PerFrameFunctionalGroupsSequence]
    derivations = [item for group in groups for item in group.get("DerivationImageSequence", [])]
    # segments on one frame share the item
    images = {id(image): image for derivation in derivations for image in derivation.SourceImageSequence}
    for image in images.values():
        image.ReferencedFrameNumber = numbers[int(image.ReferencedFrameNumber) - 1]


def _segmentation(
    frames: NDArray[Any], present: list[int], labels: LabelSet, headers: list[Dataset], origin: Origin
) -> Dataset:
    """Return the data set; highdicom leaves out frames without a voxel."""
    import highdicom
    from pydicom.uid import generate_uid

    first = headers[0]
    segmentation: Dataset = highdicom.seg.Segmentation(
        source_images=headers,
        pixel_array=frames,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=_descriptions(present, labels, origin),
        series_instance_uid=generate_uid(entropy_srcs=[origin.fingerprint, "series"]),
        series_number=_series_number(first),
        sop_instance_uid=generate_uid(entropy_srcs=[origin.fingerprint, "instance"]),
        instance_number=1,
        manufacturer=DISTRIBUTION,
        manufacturer_model_name=DISTRIBUTION,
        software_versions=_version(),
        device_serial_number=long_string(origin.model_sha256),
        content_label="SEGMENTATION",
        content_description=long_string(", ".join(labels.names[index] for index in present)),
        series_description=long_string(f"Segmentation of {first.get('SeriesDescription') or first.Modality}"),
    )
    segmentation.ContentCreatorName = None  # type 2: nobody drew it
    _name_private_scheme(segmentation)
    return segmentation


def _descriptions(present: list[int], labels: LabelSet, origin: Origin) -> list[Any]:
    """Return one description per segment."""
    import highdicom
    from pydicom.sr.codedict import codes

    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=DISTRIBUTION,
        family=codes.DCM.ArtificialIntelligence,
        version=_version(),
        source=DISTRIBUTION,
        parameters={"model_sha256": origin.model_sha256},
    )
    descriptions = []
    for number, index in enumerate(present, 1):
        name = labels.names[index]
        concept = concept_of(name)
        description = highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=long_string(name),
            segmented_property_category=concept.category,
            segmented_property_type=concept.kind,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            anatomic_regions=[concept.region] if concept.region else None,
            display_color=highdicom.color.CIELabColor(*_COLOURS[index % len(_COLOURS)]),
        )
        kind = description.SegmentedPropertyTypeCodeSequence[0]
        if concept.modifiers:
            kind.SegmentedPropertyTypeModifierCodeSequence = _items(concept.modifiers)
        if concept.region_modifiers:
            region = description.AnatomicRegionSequence[0]
            region.AnatomicRegionModifierSequence = _items(concept.region_modifiers)
        descriptions.append(description)
    return descriptions


def _items(codes: Iterable[Code]) -> list[Dataset]:
    """Return codes as items of a sequence."""
    from highdicom.sr import CodedConcept

    return [CodedConcept.from_code(code) for code in codes]


def _name_private_scheme(segmentation: Dataset) -> None:
    """Say whose codes the private ones are (PS3.3 C.12.1, Coding Scheme Identification Sequence)."""
    from pydicom import Dataset

    kinds = [item.SegmentedPropertyTypeCodeSequence[0] for item in segmentation.SegmentSequence]
    if all(kind.CodingSchemeDesignator != PRIVATE_SCHEME for kind in kinds):
        return
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeName = f"Names of structures in models of {DISTRIBUTION}"
    item.CodingSchemeResponsibleOrganization = DISTRIBUTION
    segmentation.CodingSchemeIdentificationSequence = [item]


def _series_number(header: Dataset) -> int:
    """Return a number that no series of a scanner is likely to have."""
    number = header.get("SeriesNumber")
    return _SERIES_NUMBER + (int(number) if isinstance(number, int) and 0 < number < _LARGEST_NUMBER else 0)


def _version() -> str:
    return importlib.metadata.version(DISTRIBUTION)
