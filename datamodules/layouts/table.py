"""A CSV table of paths: a row for each case."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from datamodules.case_names import CHANNEL_SUFFIX, is_there, refuse_unsafe
from datamodules.cases import Case
from datamodules.formats import dicom, volume_name
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError
from datamodules.layouts.base import Found, Stated
from datamodules.layouts.masks import complete_masks
from datamodules.layouts.table_columns import Columns, is_known, read_columns
from datamodules.layouts.table_text import Table, read_table
from datamodules.splits import Split

NAME = "table"
EXAMPLE = """\
cases.csv                   (data.root names the file; paths are relative to it)
    image,label,group
    scans/a.nii.gz,labels/a.nii.gz,patient 1"""
_PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test", "": ""}


def claims(root: Path) -> bool:
    """Tell whether it is a file with the name of a table."""
    return root.is_file() and root.suffix.lower() in (".csv", ".tsv", ".txt")


def cases(root: Path, stated: Stated) -> Found:
    """List the cases of the table.

    Raises:
        DataError: If a column is not known, cells are empty, files are not there, or ids are not unique.
    """
    table = read_table(root, is_known)
    columns = read_columns(root, table.columns)
    masks = dict(zip(columns.structures, columns.masks, strict=True))
    structures = complete_masks(root, {"the table": masks}, stated.labels, tuple(masks)) if masks else ()
    chosen = [masks[name] for name in structures]
    paths = [*columns.images, *(chosen or ["label"])]
    _refuse_gaps(root, table, [*paths, *(["group"] if "group" in columns.others else [])])
    _refuse_absent(root, table, paths)
    found = {number: _case(root, row, columns, stated, chosen) for number, row in table.rows}
    refuse_unsafe(root, [(case.id, f"row {number}") for number, case in found.items()])
    _refuse_twice(root, found)
    return Found(
        list(found.values()),
        channel_names=columns.channel_names,
        structures=structures,
        grouped="group" in columns.others,
        split=_split(root, table, found, stated.fold) if "split" in columns.others else None,
    )


def _case(root: Path, row: Mapping[str, str], columns: Columns, stated: Stated, masks: Sequence[str]) -> Case:
    images = tuple(root.parent / row[column] for column in columns.images)
    name = row.get("id") or _name_of(images[0])
    return Case(
        id=name,
        group=row.get("group") or name,
        images=images,
        label=root.parent / row["label"] if "label" in columns.others else None,
        masks=tuple(root.parent / row[column] for column in masks),
        series=_series(images, [row[column] or None if column else None for column in columns.series], columns),
        spacing_mm=stated.spacing_mm,
    )


def _series(
    images: Sequence[Path], named: Sequence[str | None], columns: Columns
) -> str | tuple[str | None, ...] | None:
    """Return the DICOM series of each image; one that is named for all of a row counts where a folder holds several."""
    if len(images) == 1:
        return named[0]
    return tuple(
        series if series is None or column != "series" or _holds_several(image) else None
        for image, series, column in zip(images, named, columns.series, strict=True)
    )


def _holds_several(image: Path) -> bool:
    return image.is_dir() and dicom.claims(image, ReadOptions()) and len(dicom.find_series(image)) > 1


def _name_of(image: Path) -> str:
    name = volume_name(image)
    match = CHANNEL_SUFFIX.fullmatch(name)
    return match["name"] if match and int(match["channel"]) == 0 else name


def _refuse_gaps(root: Path, table: Table, needed: Sequence[str]) -> None:
    empty = [f"row {number}, column {name}" for number, row in table.rows for name in needed if not row[name]]
    if empty:
        more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
        remedy = "fill them, or take the rows out"
        raise DataError(root, "every cell filled", f"empty: {'; '.join(empty[:10])}{more}", remedy)


def _refuse_absent(root: Path, table: Table, needed: Sequence[str]) -> None:
    absent = [
        f"row {number}, {row[name]}"
        for number, row in table.rows
        for name in needed
        if not is_there(root.parent / row[name])
    ]
    if absent:
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        remedy = f"mend the paths, which are relative to {root.parent}, or the links"
        raise DataError(root, "files and folders that are there", f"none at {'; '.join(absent[:5])}{more}", remedy)


def _refuse_twice(root: Path, found: Mapping[int, Case]) -> None:
    rows: dict[str, list[int]] = {}
    for number, case in found.items():
        rows.setdefault(case.id, []).append(number)
    if doubled := [
        f"{name!r} in rows {', '.join(map(str, numbers))}" for name, numbers in rows.items() if len(numbers) > 1
    ]:
        remedy = "give each case its own name in the column id"
        raise DataError(root, "a name of its own for each case", "; ".join(doubled[:5]), remedy)


def _split(root: Path, table: Table, found: Mapping[int, Case], fold: int) -> Split:
    """Return the split of the column; test cases and empty cells are in neither part."""
    if fold != 0:
        remedy = "leave it out, or take the column out of the table"
        raise DataError(root, "data.split.fold 0, as the column split states one split", f"fold {fold}", remedy)
    parts: dict[str, list[str]] = {part: [] for part in _PARTS.values()}
    for number, row in table.rows:
        said = row["split"].lower()
        if said not in _PARTS:
            nearest = get_close_matches(said, ["train", "validation"], n=1, cutoff=0.0)[0]
            shown = f"{row['split']!r} in row {number}"
            raise DataError(root, "train or validation in the column split", shown, f"did you mean {nearest}?")
        parts[_PARTS[said]].append(found[number].id)
    return Split(train=tuple(sorted(parts["train"])), validation=tuple(sorted(parts["validation"])))
