"""Predictions and references on disk: which belong together, what structures they hold, and their scores."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.case_names import list_volumes, refuse_twins, same_name
from datamodules.formats import Volume, dicom, read_labels, strip_suffix
from datamodules.formats.errors import DataError
from datamodules.formats.volume import AFFINE_TOLERANCE
from datamodules.labels import LabelSet, Structure
from pipeline.evaluation import StructureScore, scores_of_case
from pipeline.report import CaseResult, peak_memory_mib

log = logging.getLogger(__name__)

SIDECAR_NAME = "labels.json"


@dataclass(frozen=True)
class Pair:
    """Hold a case's prediction and reference; one of them may be missing."""

    id: str
    prediction: Path | None
    reference: Path | None


def find_pairs(predictions: Path, references: Path) -> list[Pair]:
    """Pair the volumes of two folders by their names without suffix, or two files whatever their names.

    Args:
        predictions: Folder or file.
        references: Folder or file.

    Returns:
        Every case that either side holds, sorted by name.

    Raises:
        DataError: If a side holds no volume, or names that are equal but for case.
    """
    if predictions.is_file() and references.is_file():
        return [Pair(strip_suffix(predictions), predictions, references)]
    predicted, truth = _by_name(predictions), _by_name(references)
    return [Pair(name, predicted.get(name), truth.get(name)) for name in sorted({*predicted, *truth})]


def find_labels(
    predictions: Path, references: Path, declared: Mapping[str, int | list[int]] | None, pairs: Sequence[Pair]
) -> LabelSet:
    """Find out which structures the files hold.

    The first of these counts: what is declared, labels.json beside the predictions, dataset.json in the
    reference folder or the one above it, and else, with a warning, the values found in the references.

    Raises:
        DataError: If a description cannot be understood, or no structure is found.
    """
    if declared:
        return LabelSet.from_json(declared, path=Path("--labels"))
    beside = predictions if predictions.is_dir() else predictions.parent
    above = references if references.is_dir() else references.parent
    if (sidecar := beside / SIDECAR_NAME).is_file():
        return _read_sidecar(sidecar)
    for path in (above / "dataset.json", above.resolve().parent / "dataset.json"):
        if path.is_file() and isinstance(labels := _read_json(path).get("labels"), dict):
            return LabelSet.from_json(labels, path=path)
    return _labels_from_values(references, pairs)


def score_pair(pair: Pair, *, labels: LabelSet, tolerance_mm: float) -> tuple[CaseResult, list[StructureScore]]:
    """Read and score one case; whatever is wrong with its files marks it failed and stops no other."""
    start = time.perf_counter()
    try:
        rows = _score(pair, labels, tolerance_mm)
    except (DataError, OSError, MemoryError) as error:
        log.error("%s: %s", pair.id, error)
        return CaseResult(pair.id, "failed", messages=(str(error) or type(error).__name__,)), []
    seconds = round(time.perf_counter() - start, 3)
    return CaseResult(pair.id, "done", seconds, peak_memory_mib()), rows


def _score(pair: Pair, labels: LabelSet, tolerance_mm: float) -> list[StructureScore]:
    if pair.prediction is None or pair.reference is None:
        present, absent = ("reference", "prediction") if pair.prediction is None else ("prediction", "reference")
        path = pair.reference or pair.prediction or Path(pair.id)
        remedy = "predict the case, or give folders that hold the same cases"
        raise DataError(path, f"a {absent} of the same name", f"the {present} alone", remedy)
    prediction, reference = read_labels(pair.prediction), read_labels(pair.reference)
    _check_geometry(prediction, reference)
    paths = (pair.prediction, pair.reference)
    arrays = (prediction.array, reference.array)
    return scores_of_case(*arrays, labels, reference.spacing_mm, case=pair.id, tolerance_mm=tolerance_mm, paths=paths)


def _check_geometry(prediction: Volume, reference: Volume) -> None:
    """Refuse a prediction that does not lie on the reference's grid (F15)."""
    if prediction.shape != reference.shape:
        expected = f"the shape {reference.shape} of {reference.path}"
        remedy = "predict on the grid of the image that the reference was drawn on"
        raise DataError(prediction.path, expected, str(prediction.shape), remedy)
    difference = float(np.abs(prediction.affine - reference.affine).max())
    if not difference <= AFFINE_TOLERANCE:
        expected = f"the affine of {reference.path} within {AFFINE_TOLERANCE:g}"
        remedy = "mend the geometry of the file that is wrong"
        raise DataError(prediction.path, expected, f"one that differs by {difference:.4g}", remedy)


def _by_name(path: Path) -> dict[str, Path]:
    if not path.exists():
        raise DataError(path, "a folder of label volumes, or one file", "nothing", "check the path")
    listed = list_volumes(path) if path.is_dir() else [path]
    # a DICOM-SEG lies beside the volume that holds the same mask
    files = [file for file in listed if path.is_file() or file.suffix.lower() not in dicom.suffixes]
    if not files:
        raise DataError(path, "label volumes", "none", "give the folder that holds the label files themselves")
    refuse_twins(path, [(strip_suffix(file), file.name) for file in files])
    return {same_name(strip_suffix(file)): file for file in files}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # of the encoding as well as of the JSON
        raise DataError(path, "JSON", str(error), "mend or remove the file") from error
    if not isinstance(content, dict):
        raise DataError(path, "a JSON object", type(content).__name__, "mend or remove the file")
    return content


def _read_sidecar(path: Path) -> LabelSet:
    try:
        return LabelSet.from_dict(_read_json(path))
    except (KeyError, TypeError, ValueError) as error:
        remedy = "remove the file and give --labels"
        raise DataError(path, "the structures that `predict` wrote", repr(error), remedy) from error


def _labels_from_values(references: Path, pairs: Sequence[Pair]) -> LabelSet:
    """Take every value above 0 that a readable reference holds for a structure."""
    values: set[int] = set()
    for pair in pairs:
        if pair.reference is None:
            continue
        try:
            values |= {int(value) for value in np.unique(read_labels(pair.reference).array)}
        except (DataError, OSError) as error:  # named again, and marked failed, when the case is scored
            log.warning("%s: its values are not known: %s", pair.id, error)
    foreground = tuple(Structure(f"label_{value}", (value,)) for value in sorted(values - {0}))
    remedy = "give --labels, for example --labels '{membrane: 0, cell: 255}'"
    if not foreground:
        raise DataError(references, "references with a value above 0", "none", remedy)
    found = ", ".join(str(structure.values[0]) for structure in foreground)
    log.warning("%s: no labels.json and no dataset.json; the values found are scored: %s", references, found)
    try:
        return LabelSet((Structure("background", (0,)), *foreground))
    except ValueError as error:
        raise DataError(references, "label values", str(error), remedy) from error
