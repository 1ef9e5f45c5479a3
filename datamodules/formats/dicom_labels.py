"""DICOM segmentation objects read as labels, on the grid that their frames span."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.dicom_headers import DAMAGED, naming, read_whole
from datamodules.formats.errors import DataError
from datamodules.formats.geometry import check_affine
from datamodules.formats.volume import Volume

if TYPE_CHECKING:
    import highdicom

_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # by segments, as a label map
_LARGEST = 1 << 28  # voxels of all segments; positions from a damaged header may span any number of slices
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_segmentation(path: Path) -> Volume:
    """Read a DICOM-SEG through highdicom.

    The grid is that of its frames, from the first that is stored to the last: slices without a label are often not
    stored, so that it may have fewer than the image.

    Args:
        path: A DICOM-SEG file.

    Returns:
        uint16 [1, X = column, Y = row, Z = slice] with segment numbers as labels, or uint8 [K, X, Y, Z] in the
        order of the segment numbers where segments overlap.

    Raises:
        DataError: It is no segmentation, or damaged, or its frames make no volume.
    """
    # parsed once within bounds before highdicom sees it
    header = read_whole(path)
    if header.get("SOPClassUID") not in _SEGMENTATIONS:
        found = f"{header.get('Modality', 'no modality')}, class {header.get('SOPClassUID', 'none')}"
        raise DataError(path, "a DICOM segmentation as labels", found, "name the DICOM-SEG file, or convert to NIfTI")
    if header.get("SegmentationType") == "FRACTIONAL":
        raise DataError(path, "a binary segmentation or a label map", "fractions", "threshold it to labels")
    with naming(path):
        import highdicom

        segmentation = highdicom.seg.segread(io.BytesIO(path.read_bytes()))
        _refuse_huge(path, segmentation)
        array, affine = _labels(segmentation)
    check_affine(path, affine)
    return Volume(array, affine, path)


def _refuse_huge(path: Path, segmentation: highdicom.seg.Segmentation) -> None:
    """Refuse frames that span more slices than memory should be taken for."""
    geometry = segmentation.get_volume_geometry(allow_missing_positions=True)
    if geometry is None:
        raise DataError(path, "parallel frames at regular places", "frames that make no volume", DAMAGED)
    size = math.prod(geometry.spatial_shape) * segmentation.number_of_segments
    if size > _LARGEST:
        found = f"{segmentation.number_of_segments} of {geometry.spatial_shape}"
        raise DataError(path, f"segments of at most {_LARGEST} voxels in all", found, DAMAGED)


def _labels(segmentation: highdicom.seg.Segmentation) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return label values [1, X, Y, Z] or overlapping masks [K, X, Y, Z], and the affine in RAS+ mm."""
    if segmentation.segmentation_type.value == "LABELMAP":
        volume = segmentation.get_volume(combine_segments=True)
        array = volume.array.astype(np.uint16)[None]
    else:
        volume = segmentation.get_volume()  # [slice, row, column, segment]
        masks = np.moveaxis(volume.array, -1, 0).astype(np.uint8)
        numbers = np.array(list(segmentation.segment_numbers), dtype=np.uint16)
        overlap = masks.sum(axis=0, dtype=np.uint16).max(initial=0) > 1
        array = masks if overlap else np.tensordot(numbers, masks, axes=(0, 0)).astype(np.uint16)[None]
    # highdicom's axes are slice, row, column, in LPS
    affine = _TO_RAS @ np.asarray(volume.affine)[:, [2, 1, 0, 3]]
    return array.transpose(0, 3, 2, 1), affine + 0.0
