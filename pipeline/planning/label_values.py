"""Which labels a data set holds that names none: the values themselves, under names that a user may change."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from datamodules.cases import Case, CaseList, read_label
from datamodules.dataset_json import read_description
from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet
from datamodules.layouts import find_cases, layout_of
from datamodules.layouts.base import Stated
from datamodules.workers import map_cases

log = logging.getLogger(__name__)

_MOST = 64  # more values are an image, or single objects that are numbered


def list_cases(
    root: Path,
    labels: Mapping[str, int | list[int]] | None,
    group_pattern: str | None,
    spacing_mm: tuple[float, float, float] | None,
    workers: int,
) -> tuple[CaseList, dict[str, int | list[int]] | None]:
    """List the cases of a data set, and find out its labels where nothing names them.

    Args:
        root: The data set.
        labels: Names and values, where the user gives them.
        group_pattern: As for `find_cases`.
        spacing_mm: As for `find_cases`.
        workers: Processes that read labels; 0 reads in this one.

    Returns:
        The cases, and the labels that a config must declare; None where the data set does.

    Raises:
        DataError: If the data set is in no known layout, or its labels hold too many values to be structures.
    """

    def cases_with(declared: Mapping[str, int | list[int]] | None) -> CaseList:
        return find_cases(root, labels=declared, group_pattern=group_pattern, spacing_mm=spacing_mm)

    if labels is not None or _declares_labels(root, spacing_mm):
        return cases_with(labels), None if labels is None else dict(labels)
    listing = cases_with({"foreground": 1})  # only to find the files: their values are still unknown
    named: dict[str, int | list[int]] = {**name_values(root, stored_values(listing, workers))}
    log.info("%s names no labels; found the values %s", root, ", ".join(map(str, named.values())))
    return replace(listing, labels=LabelSet.from_json(named, path=root)), named


def _declares_labels(root: Path, spacing_mm: tuple[float, float, float] | None) -> bool:
    found = layout_of(root).cases(root, Stated(None, spacing_mm, 0, True))
    folder = root if root.is_dir() else root.parent
    return bool(found.structures or found.labels or read_description(folder / "dataset.json").get("labels"))


def stored_values(listing: CaseList, workers: int) -> tuple[int, ...]:
    """Return all values that the label files of a data set hold, sorted.

    Raises:
        DataError: If a label cannot be read.
    """
    found = map_cases(_values_of, listing.cases, workers=workers, description="Reading labels")
    return tuple(sorted({value for values in found.values() for value in values}))


def _values_of(case: Case) -> list[int]:
    return [int(value) for value in np.unique(read_label(case).array)]


def name_values(root: Path, values: tuple[int, ...]) -> dict[str, int]:
    """Return a name for each value; the background is 0.

    Raises:
        DataError: If there is no structure among them, or far too many.
    """
    inside = [value for value in values if value]
    if not 1 <= len(inside) <= _MOST:
        found = "nothing but 0" if not inside else f"{len(inside)} values besides 0, such as {inside[:5]}"
        raise DataError(
            root,
            expected=f"label files with one value for each structure, {_MOST} at most",
            found=found,
            remedy="check that the masks are label images, or name their values with --labels",
        )
    names = {"foreground": inside[0]} if len(inside) == 1 else {f"value_{value}": value for value in inside}
    return {"background": 0} | names
