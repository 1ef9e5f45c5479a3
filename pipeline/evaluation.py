"""The scores of one case: every structure of a prediction against its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from datamodules.labels import LabelSet
from pipeline.metrics.overlap import Overlap, error_rate, overlap
from pipeline.metrics.surface import diagonal_mm, surface_distances

Status = Literal["found", "missed", "invented", "both_empty"]
Labels = npt.NDArray[np.integer[Any]]
Box = tuple[slice, slice, slice]
DEFAULT_TOLERANCE_MM = 2.0


@dataclass(frozen=True)
class StructureScore:
    """Hold the scores of one structure in one case; a row of scores.csv.

    A structure on one side alone scores a Dice, IoU and surface Dice of 0 and the image's diagonal as
    distances. Where both sides are empty all scores are None: the row is counted and in no mean.

    Attributes:
        case: Name of the case.
        structure: Name of the structure.
        status: "found" on both sides, "missed" by the prediction, "invented" by it, or "both_empty".
        dice: Dice coefficient.
        iou: Intersection over union.
        hd95_mm: Hausdorff distance's 95th percentile.
        nsd: Normalised surface Dice at the tolerance that the summary states.
        assd_mm: Average symmetric surface distance.
        volume_error_ml: Predicted less reference volume.
        volume_error_relative: The same as a share of the reference volume, None where that is 0.
        reference_ml: Volume in the reference.
        error_rate: Share of the case's voxels that are wrong in any structure; equal in all rows of a case.
    """

    case: str
    structure: str
    status: Status
    dice: float | None
    iou: float | None
    hd95_mm: float | None
    nsd: float | None
    assd_mm: float | None
    volume_error_ml: float | None
    volume_error_relative: float | None
    reference_ml: float
    error_rate: float

    def to_dict(self) -> dict[str, str | float | None]:
        """Return the row by column names."""
        return asdict(self)


METRICS = ("dice", "iou", "hd95_mm", "nsd", "assd_mm", "volume_error_ml", "volume_error_relative")


def scores_of_case(
    prediction: Labels,
    reference: Labels,
    labels: LabelSet,
    spacing_mm: Sequence[float],
    *,
    case: str = "",
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    paths: tuple[Path | None, Path | None] = (None, None),
) -> list[StructureScore]:
    """Score every foreground structure of one case.

    Args:
        prediction: Stored label values [X, Y, Z] or [1, X, Y, Z], or masks [K, X, Y, Z].
        reference: The same of the reference, on the same grid.
        labels: The structures.
        spacing_mm: Distance between voxel centres along X, Y and Z.
        case: Name of the case.
        tolerance_mm: Tolerance of the surface Dice.
        paths: Files of prediction and reference, for messages.

    Returns:
        One row per foreground structure, in the order of the labels.

    Raises:
        DataError: If a value is not declared.
        ValueError: If the shapes differ.
    """
    predicted, truth = encode_prediction(prediction, labels, paths[0]), labels.encode(reference, paths[1])
    return scores_of_encoded(predicted, truth, labels, spacing_mm, case=case, tolerance_mm=tolerance_mm)


def encode_prediction(array: Labels, labels: LabelSet, path: Path | None = None) -> Labels:
    """Turn the stored values of a prediction into class indices [X, Y, Z] or masks [K, X, Y, Z].

    Raises:
        DataError: If a value is not declared.
    """
    if labels.overlapping and labels.num_channels == len(array) == 1 and array.max(initial=0) <= 1:
        return array.astype(np.uint8)  # a single mask of 0 and 1, whatever values the reference stores
    # A map of stored values belongs to the reference's files: predictions hold declared values.
    return replace(labels, label_map=()).encode(array, path)


def scores_of_encoded(
    predicted: Labels,
    truth: Labels,
    labels: LabelSet,
    spacing_mm: Sequence[float],
    *,
    case: str = "",
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
) -> list[StructureScore]:
    """Score what is encoded already, as `scores_of_case` does.

    Args:
        predicted: Class indices [X, Y, Z], or masks [K, X, Y, Z] of overlapping structures.
        truth: The same of the reference.
        labels: The structures.
        spacing_mm: Distance between voxel centres along X, Y and Z.
        case: Name of the case.
        tolerance_mm: Tolerance of the surface Dice.

    Raises:
        ValueError: If the shapes differ.
    """
    wrong = error_rate(predicted, truth)
    x, y, z = (float(mm) for mm in spacing_mm)
    boxes = [_boxes(array, labels) for array in (predicted, truth)]
    rows = []
    for channel, name in zip(labels.foreground_indices, labels.names, strict=True):
        box = _union(boxes[0][channel], boxes[1][channel], truth.shape[-3:])
        masks = [a[channel][box] != 0 if labels.overlapping else a[box] == channel for a in (predicted, truth)]
        counts = overlap(masks[0], masks[1])
        status = _status(counts)
        if status == "found":
            distances = surface_distances(masks[0], masks[1], (x, y, z))
            hd95, assd = distances.hausdorff95_mm, distances.average_mm
            nsd = distances.surface_dice(tolerance_mm)
        else:
            hd95 = assd = diagonal_mm(truth.shape[-3:], (x, y, z))
            nsd = 0.0
        empty = counts.both_empty
        row = StructureScore(
            case=case,
            structure=name,
            status=status,
            dice=counts.dice,
            iou=counts.iou,
            hd95_mm=None if empty else hd95,
            nsd=None if empty else nsd,
            assd_mm=None if empty else assd,
            volume_error_ml=None if empty else counts.volume_error_ml((x, y, z)),
            volume_error_relative=counts.volume_error_relative,
            reference_ml=counts.reference_ml((x, y, z)),
            error_rate=wrong,
        )
        rows.append(row)
    return rows


def _status(counts: Overlap) -> Status:
    if counts.both_empty:
        return "both_empty"
    if not counts.prediction:
        return "missed"
    return "found" if counts.reference else "invented"


def _boxes(encoded: Labels, labels: LabelSet) -> dict[int, Box | None]:
    """Return the bounding box of every foreground channel, None for an empty one, in one pass."""
    if labels.overlapping:
        found = [ndimage.find_objects(mask, max_label=1)[0] for mask in encoded]
    else:
        found = [None, *ndimage.find_objects(encoded, max_label=labels.num_channels - 1)]
    return {channel: found[channel] for channel in labels.foreground_indices}


def _union(first: Box | None, second: Box | None, shape: Sequence[int]) -> Box:
    """Return the box around both, or an empty one."""
    boxes = [box for box in (first, second) if box is not None]
    if not boxes:
        return slice(0, 0), slice(0, 0), slice(0, 0)
    # One voxel wider where the image goes on: an axis of one voxel is then a 2-D image's.
    x, y, z = (
        slice(max(0, min(p.start for p in parts) - 1), min(n, max(p.stop for p in parts) + 1))
        for parts, n in zip(zip(*boxes, strict=True), shape, strict=True)
    )
    return x, y, z
