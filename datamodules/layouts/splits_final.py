"""The folds of nnU-Net's splits_final.json, where it lies in the folder of the data set."""

import json
from pathlib import Path
from typing import Any

from datamodules.formats.errors import DataError
from datamodules.splits import Split

FILE = "splits_final.json"


def read_splits(root: Path, fold: int) -> Split | None:
    """Return one fold of splits_final.json; None where there is no such file.

    Raises:
        DataError: If it is no list of `{"train": [...], "val": [...]}`, or has no such fold.
    """
    path = root / FILE
    if not path.exists():
        return None
    folds = read_folds(path)
    if not 0 <= fold < len(folds):
        expected = f"data.split.fold from 0 to {len(folds) - 1}, as the file has {len(folds)} folds"
        raise DataError(path, expected, f"fold {fold}", "choose one that exists, or remove the file")
    return folds[fold]


def read_folds(path: Path) -> list[Split]:
    """Return all folds of a splits_final.json.

    Raises:
        DataError: If it is no list of `{"train": [...], "val": [...]}`.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # of the encoding as well as of the JSON
        raise DataError(path, expected="JSON", found=str(error), remedy="mend the file") from error
    entries = content if isinstance(content, list) else []
    folds = [fold for entry in entries if (fold := _parts(entry)) is not None]
    if not folds or len(folds) < len(entries):
        found = type(content).__name__ if not isinstance(content, list) else f"{content}"[:100]
        raise DataError(path, 'a list of {"train": [names], "val": [names]}', found, "mend or remove the file")
    return folds


def _parts(entry: Any) -> Split | None:  # noqa: ANN401 - it comes from JSON
    if not isinstance(entry, dict):
        return None
    parts = [entry.get(key) for key in ("train", "val")]
    if not all(isinstance(part, list) and all(isinstance(name, str) for name in part) for part in parts):
        return None
    train, validation = (tuple(sorted(set(part))) for part in parts if part is not None)
    return Split(train=train, validation=validation)
