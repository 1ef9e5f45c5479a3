"""The files that a case leaves in the output folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.cases import Case
from datamodules.formats import image, stored_shape, suffix_of, write_labels, write_scores
from datamodules.formats.atomic import write_atomically
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume
from datamodules.geometry import canonical_array, to_canonical
from datamodules.grid import Grid
from datamodules.labels import LabelSet
from pipeline.inference.predictor import PredictionSettings

LABELS_NAME = "labels.json"
PROBABILITIES = "probabilities"  # in folders of their own, so that no mask is taken for another case's
OVERLAYS = "overlays"
_TITLE_LENGTH = 60  # characters; a longer title would be wider than the picture


@dataclass(frozen=True)
class OutputNames:
    """The files of a case, relative to the output folder; None for those that nobody asked for.

    Args:
        labels: The mask.
        probabilities: A 4-D file.
        overlay: A picture.
        source: The image, whose stored shape the mask takes.
    """

    labels: str
    probabilities: str | None
    overlay: str | None
    source: Path

    @property
    def all(self) -> tuple[str, ...]:
        """Return the names that are wanted."""
        return tuple(name for name in (self.labels, self.probabilities, self.overlay) if name is not None)


def output_names(case: Case, labels: LabelSet, settings: PredictionSettings) -> OutputNames:
    """Return the names of a case's files: its id with the format of its input, PNG for any image file.

    Overlapping structures of an image go to NIfTI, since an image file holds one mask alone.
    """
    suffix = suffix_of(case.images[0]).lower()
    if suffix in image.SUFFIXES:
        suffix = ".nii.gz" if labels.overlapping else ".png"
    return OutputNames(
        f"{case.id}{suffix}",
        f"{PROBABILITIES}/{case.id}.nii.gz" if settings.probabilities else None,
        f"{OVERLAYS}/{case.id}.png" if settings.overlays else None,
        case.images[0],
    )


def write_outputs(
    folder: Path, names: OutputNames, labels: LabelSet, logits: Tensor, grid: Grid, picture: Volume | None
) -> None:
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
    """
    indices = grid.restore_labels(logits, labels.overlapping)
    write_labels(folder / names.labels, labels.decode(indices), grid.source_affine, shape=stored_shape(names.source))
    if names.overlay is not None and picture is not None:
        _write_overlay(folder / names.overlay, labels, indices, picture)
    if names.probabilities is not None:
        (folder / PROBABILITIES).mkdir(exist_ok=True)
        scores = grid.restore_scores(_probabilities(logits, labels.overlapping), labels.overlapping)
        write_scores(folder / names.probabilities, scores.astype(np.float32, copy=False), grid.source_affine)


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
