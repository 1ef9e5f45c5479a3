"""The names of labels in BIDS: tables *_dseg.tsv with the columns index and name."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from datamodules.formats.errors import DataError
from datamodules.layouts.bids_names import BidsFile
from datamodules.layouts.table_text import read_table

_REMEDY = "mend the tables, or set data.labels"


def read_label_tables(folders: Iterable[Path], labels: Sequence[BidsFile]) -> dict[str, int] | None:
    """Return the values of labels by name, from all tables that are there.

    A table at the top of a data set holds for all of its labels whose names have its entities; one beside a label
    holds for that label.

    Args:
        folders: The tops of the data sets.
        labels: The label files.

    Raises:
        DataError: If a table is not understood, or two tables contradict each other.
    """
    paths = [path for folder in folders for path in sorted(folder.glob("*dseg.tsv")) if _holds(path, labels)]
    paths += [beside for label in labels if (beside := _beside(label)).is_file()]
    values: dict[str, int] = {}
    for path in dict.fromkeys(paths):
        for name, value in _read(path):
            if values.setdefault(name, value) != value or _other(values, name):
                found = f"{name}: {value} against {values}"
                raise DataError(path, "one value for each name in all tables of labels", found[:300], _REMEDY)
    return values or None


def _other(values: dict[str, int], name: str) -> bool:
    """Tell whether another name has the same value."""
    return list(values.values()).count(values[name]) > 1


def _beside(label: BidsFile) -> Path:
    stem = label.path.name.partition(".")[0]
    return label.path.with_name(f"{stem}.tsv")


def _holds(path: Path, labels: Sequence[BidsFile]) -> bool:
    """Tell whether the entities of a table's name are among those of every label, or of some."""
    pairs = [pair.split("-", 1) for pair in path.name.removesuffix(".tsv").split("_")[:-1]]
    wanted = {pair[0]: pair[-1] for pair in pairs}
    return any(wanted.items() <= dict(label.entities).items() for label in labels)


def _read(path: Path) -> list[tuple[str, int]]:
    table = read_table(path, lambda name: name in ("index", "name"))
    if not {"index", "name"} <= set(table.columns):
        raise DataError(path, "the columns index and name", ", ".join(table.columns), _REMEDY)
    rows = []
    for number, row in table.rows:
        if not row["index"].isdecimal() or not row["name"]:
            found = f"{row['index']!r} and {row['name']!r} in row {number}"
            raise DataError(path, "a whole number and a name in each row", found, _REMEDY)
        rows.append((row["name"], int(row["index"])))
    return rows
