"""The files that a case leaves in the output folder."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.cases import Case
from datamodules.formats import dicom, format_of, write_labels, write_scores
from datamodules.formats.atomic import write_atomically
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume
from datamodules.geometry import canonical_array, to_canonical
from datamodules.grid import Grid
from datamodules.labels import LabelSet
from pipeline.inference.dicom_seg import Origin, write_segmentation
from pipeline.inference.output_formats import SEGMENTATION, mask_suffixes
from pipeline.inference.predictor import PredictionSettings

LABELS_NAME = "labels.json"
PROBABILITIES = "probabilities"  # in folders of their own, so that no mask is taken for another case's
OVERLAYS = "overlays"
_TITLE_LENGTH = 60  # characters; a longer title would be wider than the picture


@dataclass(frozen=True)
class OutputNames:
    """The files of a case, relative to the output folder; None for those that nobody asked for.

    Args:
        masks: The masks, one file per volume format.
        segmentation: The masks as a DICOM-SEG.
        probabilities: A 4-D file.
        overlay: A picture.
        case: The images, whose stored shape and headers the masks take.
    """

    masks: tuple[str, ...]
    segmentation: str | None
    probabilities: str | None
    overlay: str | None
    case: Case

    @property
    def labels(self) -> str:
        """Return the name of the mask that `read_labels` reads."""
        return self.masks[0]

    @property
    def all(self) -> tuple[str, ...]:
        """Return the names that are wanted."""
        single = (self.segmentation, self.probabilities, self.overlay)
        return (*self.masks, *(name for name in single if name is not None))


def output_names(case: Case, labels: LabelSet, settings: PredictionSettings) -> OutputNames:
    """Return the names of a case's files: its id with the endings of `mask_suffixes`.

    Raises:
        DataError: The case cannot be written in a format that was asked for.
    """
    suffixes = mask_suffixes(case, labels.overlapping, settings.formats)
    return OutputNames(
        tuple(f"{case.id}{suffix}" for suffix in suffixes if suffix != SEGMENTATION),
        f"{case.id}{SEGMENTATION}" if SEGMENTATION in suffixes else None,
        f"{PROBABILITIES}/{case.id}.nii.gz" if settings.probabilities else None,
        f"{OVERLAYS}/{case.id}.png" if settings.overlays else None,
        case,
    )


def write_outputs(
    folder: Path,
    names: OutputNames,
    labels: LabelSet,
    logits: Tensor,
    grid: Grid,
    picture: Volume | None,
    origin: Origin | None = None,
) -> list[str]:
    """Write the files of a case on its own grid.

    A label map has the stored shape of its image, be it [X, Y], [X, Y, Z] or [X, Y, Z, 1]; the volumes of a 4-D image
    share one [X, Y, Z]. Masks of overlapping structures and probabilities are always [X, Y, Z, K].

    Args:
        folder: The output folder.
        names: What to write.
        labels: The structures.
        logits: [K, X', Y', Z'] on the prepared grid; they are overwritten.
        grid: The way back.
        picture: The image on its own grid, needed for an overlay.
        origin: What a DICOM-SEG says of its making, needed for one.

    Returns:
        What there is to say about it; where a DICOM-SEG would be empty, its file is not written.

    Raises:
        DataError: A format cannot hold the masks.
    """
    messages: list[str] = []
    indices = grid.restore_labels(logits, labels.overlapping)
    if names.segmentation is not None and origin is not None:
        messages = _write_segmentation(folder / names.segmentation, names.case, labels, indices, grid, origin)
    source = names.case.images[0]
    own = format_of(source, names.case.image_options())
    for name in names.masks:
        shape = own.stored_shape(source) if name.endswith(own.suffixes) else None
        write_labels(folder / name, labels.decode(indices), grid.source_affine, shape=shape)
    if names.overlay is not None and picture is not None:
        _write_overlay(folder / names.overlay, labels, indices, picture)
    if names.probabilities is not None:
        (folder / PROBABILITIES).mkdir(exist_ok=True)
        scores = grid.restore_scores(_probabilities(logits, labels.overlapping), labels.overlapping)
        write_scores(folder / names.probabilities, scores.astype(np.float32, copy=False), grid.source_affine)
    return messages


def _write_segmentation(
    path: Path, case: Case, labels: LabelSet, indices: NDArray[Any], grid: Grid, origin: Origin
) -> list[str]:
    """Write class indices [X, Y, Z] or masks [K, X, Y, Z] onto the slices of the case's first channel."""
    options = case.image_options(0)
    if options.all_volumes:  # the parts of a 4-D series are channels on one grid
        options = dataclasses.replace(options, all_volumes=False, volume_index=0)
    axes = grid.source_affine[:3, :3]
    # along the normal of the slices, which a tilted gantry's third axis is not
    spacing_mm = float(abs(np.linalg.det(axes)) / np.linalg.norm(np.cross(axes[:, 0], axes[:, 1])))
    slices = dicom.source_slices(case.images[0], options)
    return write_segmentation(path, indices, labels, slices, origin, spacing_mm)


def _write_overlay(path: Path, labels: LabelSet, indices: NDArray[Any], picture: Volume) -> None:
    """Draw class indices [X, Y, Z], or masks [K, X, Y, Z], on the image that they belong to."""
    from pipeline.overlays import overlay_png  # matplotlib is slow to import, and seldom wanted

    path.parent.mkdir(exist_ok=True)
    shown = to_canonical(picture)
    drawn = canonical_array(indices, picture.affine)
    title = path.stem[:_TITLE_LENGTH]
    overlay_png(shown.array, drawn, path, labels.names, spacing_mm=shown.spacing_mm, title=title)


def _probabilities(logits: Tensor, overlapping: bool) -> Tensor:
    """Return probabilities in the memory of the logits [K, X, Y, Z]."""
    if overlapping:
        return logits.sigmoid_()
    logits.sub_(logits.amax(dim=0)).exp_()
    return logits.div_(torch.sum(logits, dim=0))


def write_label_names(folder: Path, labels: LabelSet, *, owned: bool) -> None:
    """Keep the structures' names and values beside the masks.

    Args:
        folder: The output folder.
        labels: The structures.
        owned: Whether a file of that name may be replaced.

    Raises:
        DataError: If another file of that name is there.
    """
    path = folder / LABELS_NAME
    content = (json.dumps(labels.to_dict(), indent=2, ensure_ascii=False) + "\n").encode()
    if path.exists() and path.read_bytes() != content and not owned:
        remedy = "choose another output folder, or give --overwrite"
        raise DataError(path, "no file, or the names of this model's labels", "another file", remedy)
    write_atomically(path, content)
