"""The labelled cases of a data set, in whichever of the known layouts it is: one module for each."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamodules.case_names import name_key, refuse_twins, refuse_unsafe, same_name
from datamodules.cases import Case, CaseList, read_image
from datamodules.dataset_json import declared_channels, read_description
from datamodules.formats.dicom import find_series
from datamodules.formats.errors import DataError
from datamodules.groups import note_alike, search_group
from datamodules.integrity.patients import hash_patient
from datamodules.labels import LabelSet
from datamodules.layouts import bids, msd, nnunet, pairs, structures, suffix_pairs, table
from datamodules.layouts.base import Declared, Found, Layout, Stated
from datamodules.layouts.pairing import is_dicom
from datamodules.layouts.splits_final import FILE, read_splits
from datamodules.splits import check_split

log = logging.getLogger(__name__)

_MANY_LABELS = 100
LAYOUTS: tuple[Layout, ...] = (table, msd, nnunet, bids, structures, pairs, suffix_pairs)  # the first that fits


def find_cases(
    root: Path,
    *,
    labels: Declared | None = None,
    group_pattern: str | None = None,
    label_map: Mapping[int, int] | None = None,
    spacing_mm: tuple[float, float, float] | None = None,
    fold: int = 0,
    complete: bool = True,
) -> CaseList:
    """List the labelled cases of a data set.

    Args:
        root: A folder in one of the layouts, or a CSV table of paths.
        labels: `{name: value}`, in place of those that the data set declares; where structures have a mask file
            each, the names choose and order them.
        group_pattern: Regular expression whose first group, searched in a case's id, names its patient.
            Without it the layout says so, or the DICOM header; else each case is a group of its own.
        label_map: `{stored: declared}` label values, applied before they are checked.
        spacing_mm: Spacing along X, Y, Z of stacks and folders of slices.
        fold: Which of the folds that the data set itself states, where it does.
        complete: Refuse an image without a label or a case without all channels; if not, they are left out and listed.

    Raises:
        DataError: If there are no cases, a label or channel is missing, names are equal but for case, or one
            patient is in both parts of a split that the data set states.
    """
    layout = layout_of(root)
    log.info("%s: read in the layout '%s'", root, layout.NAME)
    found = layout.cases(root, Stated(labels, spacing_mm, fold, complete))
    if not found.cases:
        remedy = f"fill it as the layout '{layout.NAME}' has it:\n{_indented(layout.EXAMPLE)}"
        raise DataError(root, expected="labelled cases", found="none", remedy=remedy)
    refuse_unsafe(root, [(case.id, case.images[0].name) for case in found.cases])
    refuse_twins(root, [(case.id, case.images[0].name) for case in found.cases])
    folder = root if root.is_dir() else root.parent
    description = read_description(folder / "dataset.json")
    cases = _grouped(found, group_pattern)
    split = found.split or (read_splits(root, fold) if root.is_dir() else None)
    notes = [*found.notes, *note_alike(cases)]
    if split is not None:
        source = root / FILE if root.is_dir() else root
        log.info("%s: its own split is used, %d to %d cases", source, len(split.train), len(split.validation))
        if not complete:
            split, left_out = split.only([case.id for case in cases])
            notes += [f"{source.name} names cases that have no label: {', '.join(left_out[:10])}"] if left_out else []
        notes += check_split(split, cases, source)
    for kind, paths in (("images without a label", found.unlabelled), ("labels without an image", found.unused)):
        if paths:
            log.warning("%s: %d %s: %s", root, len(paths), kind, ", ".join(path.name for path in paths[:5]))
    structures = _labels(folder, found, labels, description, label_map)
    if labels is None and len(structures.names) > _MANY_LABELS:
        notes.append(
            f"{len(structures.names)} labels are named, and each is an output of the network: name those to learn by "
            "data.labels, and read the others as 0 by data.label_map"
        )
    for note in notes:
        log.warning("%s: %s", root, note)
    return CaseList(
        root=root,
        layout=layout.NAME,
        channel_names=found.channel_names or _channel_names(description, cases),
        labels=structures,
        cases=cases,
        split=split,
        unlabelled=found.unlabelled,
        unused=found.unused,
        incomplete=dict(found.incomplete),
        notes=tuple(notes),
    )


def layout_of(root: Path) -> Layout:
    """Return the layout that a folder or table is in.

    Raises:
        DataError: If it is in none; they are listed, each with an example.
    """
    if not root.exists():
        found = f"a link to {root.readlink()}, which is not there" if root.is_symlink() else "none"
        raise DataError(root, expected="a folder, or a CSV table of paths", found=found, remedy="check data.root")
    for layout in LAYOUTS:
        if layout.claims(root):
            return layout
    trees = "\n".join(f"  {layout.NAME}\n{_indented(layout.EXAMPLE)}" for layout in LAYOUTS)
    remedy = f"check data.root, or rearrange the files as one of these:\n{trees}"
    raise DataError(root, expected="a data set in a known layout", found=_shown(root), remedy=remedy)


def _indented(tree: str) -> str:
    return "\n".join(f"    {line}" for line in tree.splitlines())


def _shown(root: Path) -> str:
    if not root.is_dir():
        return f"a file named {root.name}"
    names = [
        path.name if path.exists() else f"{path.name} (a link to {path.readlink()}, which is not there)"
        for path in sorted(root.iterdir())[:10]
    ]
    return ", ".join(names) or "an empty folder"


def _grouped(found: Found, pattern: str | None) -> tuple[Case, ...]:
    """Return the cases by id, each with its patient: by the pattern, the layout or the DICOM header."""
    cases = sorted(found.cases, key=lambda case: case.id)
    if pattern is not None:
        groups = [search_group(pattern, [case.id], case.images[0]) for case in cases]
    elif found.grouped:
        groups = [case.group for case in cases]
    else:
        groups = [_dicom_patient(case) or case.group for case in cases]
    return tuple(replace(case, group=same_name(group)) for case, group in zip(cases, groups, strict=True))


def _dicom_patient(case: Case) -> str | None:
    """Return a hash of the PatientID of a case that is a DICOM series, where it has one: groups are in reports."""
    path = case.images[0]
    if not path.exists() or not is_dicom(path, case.image_options(0)):
        return None
    try:
        found = find_series(path)
    except DataError as error:
        log.warning("the patient of case %s is not known: %s", case.id, error)  # reading the case will fail by name
        return None
    wanted = case.image_options(0).series
    patients = {name_key(series.patient) for series in found if wanted in (None, series.uid, str(series.number))}
    return hash_patient(next(iter(patients))) or None if len(patients) == 1 else None


def _channel_names(description: Mapping[str, Any], cases: Sequence[Case]) -> tuple[str, ...]:
    """Name the channels by dataset.json, or by what the first case holds."""
    if names := declared_channels(description):
        return tuple(names)
    count = len(cases[0].images)
    if count == 1:
        count = _stored_channels(cases)
    return {1: ("image",), 3: ("red", "green", "blue")}.get(count) or tuple(f"channel_{i}" for i in range(count))


def _stored_channels(cases: Sequence[Case]) -> int:
    """Count the channels of the first case that can be read; that the ones before it cannot will be told later."""
    errors: list[DataError] = []
    for case in cases:
        try:
            return len(read_image(case).array)
        except DataError as error:
            log.warning("the channels are counted in another case: %s", error)
            errors.append(error)
    raise errors[0]


def _labels(
    folder: Path,
    found: Found,
    declared: Declared | None,
    description: Mapping[str, Any],
    label_map: Mapping[int, int] | None,
) -> LabelSet:
    if found.structures:
        if label_map:
            remedy = "leave it out: masks hold 0 and one other value"
            raise DataError(folder, "no data.label_map, as each structure has its own file", f"{label_map}", remedy)
        return LabelSet.of_masks(found.structures, path=folder)
    labels = declared or found.labels or description.get("labels")
    if not labels:
        raise DataError(
            folder,
            expected="the labels' names and values",
            found="neither a dataset.json with `labels` nor `data.labels`",
            remedy="set data.labels, for example {membrane: 0, cell: 255}",
        )
    return LabelSet.from_json(labels, path=folder / "dataset.json", label_map=label_map)
