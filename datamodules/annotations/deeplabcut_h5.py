"""A table of labels from HDF5 as pandas writes it, read without unpickling anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datamodules.annotations.deeplabcut_table import LabelTable, checked_table
from datamodules.annotations.pickled_text import PickledTextError, parse_text
from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    import h5py

_EXPECTED = "a table of labels as DeepLabCut writes it with pandas"
# Far above any labels, and little memory: a small file may declare any number of values that it does not hold.
_MOST_ENTRIES = 1 << 18  # rows, columns, or names of a level
_MOST_BYTES = 1 << 28  # of one table of values
_LONGEST_TEXT = 1024  # bytes of a path or name
_MOST_LEVELS = 4
_REMEDY = "export it again from DeepLabCut, or keep the CSV file of the same name in its place"


class PickledTableError(DataError):
    """Refuse a table that could be read by unpickling alone, which may run code of whoever wrote it."""


def read_h5(path: Path) -> LabelTable:
    """Read a table of labels in pandas' format "fixed" or "table".

    Raises:
        PickledTableError: If its axes or values are pickled objects.
        DataError: If it is no such file, leads to other files, or declares implausibly many values.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            groups = [group for name in file if "pandas_type" in (group := _member(path, file, name)).attrs]
            if len(groups) != 1:
                raise DataError(path, f"{_EXPECTED}, and one of them", f"{len(groups)}", _REMEDY)
            kind = _text(groups[0].attrs["pandas_type"])
            if kind == "frame":
                columns, images, values = _fixed(path, groups[0])
            elif kind == "frame_table":
                columns, images, values = _appendable(path, groups[0])
            else:
                raise DataError(path, _EXPECTED, f"pandas' {kind}", _REMEDY)
    except (OSError, KeyError, ValueError, IndexError, TypeError, AttributeError, RuntimeError) as error:
        raise DataError(path, _EXPECTED, f"{type(error).__name__}: {error}", _REMEDY) from error
    if any(len(column) not in (3, 4) for column in columns):
        raise DataError(path, "columns of scorer, bodyparts, coords", f"{len(columns[0])} levels", _REMEDY)
    return checked_table(path, columns, images, values)


def _fixed(path: Path, group: h5py.Group) -> tuple[list[tuple[str, ...]], list[str], NDArray[np.float64]]:
    """Read axes as levels and codes, and values as blocks of columns."""
    columns, images = _axis(path, group, "axis0"), ["/".join(row) for row in _axis(path, group, "axis1")]
    _bound(path, f"{len(images)} rows of {len(columns)} values", len(images) * len(columns) * 8, _MOST_BYTES)
    values = np.full((len(images), len(columns)), np.nan)
    places = {column: number for number, column in enumerate(columns)}
    blocks = int(group.attrs["nblocks"])
    _bound(path, "blocks", blocks, max(1, len(columns)))
    for number in range(blocks):
        stored = _dataset(path, group, f"block{number}_values")
        if "shape" in stored.attrs:  # how pandas marks a block without elements
            continue
        items = _axis(path, group, f"block{number}_items")
        # blocks are stored with rows first unless told otherwise
        rows_first = bool(stored.attrs.get("transposed", 0))
        expected = (len(images), len(items)) if rows_first else (len(items), len(images))
        if stored.shape != expected:
            raise DataError(path, f"values {list(expected)}, as the axes say", f"{list(stored.shape)}", _REMEDY)
        block = stored[()] if rows_first else stored[()].T
        for position, column in enumerate(items):
            values[:, places[column]] = block[:, position]
    return columns, images, values


def _axis(path: Path, group: h5py.Group, name: str) -> list[tuple[str, ...]]:
    """Return the labels of an axis, each as the tuple of its levels."""
    if _text(group.attrs[f"{name}_variety"]) != "multi":
        return [(text,) for text in _strings(path, group, name)]
    levels = []
    count = int(group.attrs[f"{name}_nlevels"])
    _bound(path, "levels", count, _MOST_LEVELS)
    for level in range(count):
        texts, codes = _strings(path, group, f"{name}_level{level}"), _vector(path, group, f"{name}_label{level}")[()]
        if len(codes) and codes.min() < 0:
            raise DataError(path, "a name for every row and column", f"a missing one in level {level}", _REMEDY)
        levels.append([texts[code] for code in codes])
    return list(zip(*levels, strict=True))


def _appendable(path: Path, group: h5py.Group) -> tuple[list[tuple[str, ...]], list[str], NDArray[np.float64]]:
    """Read rows of a compound type; what its columns are called stands in attributes, as text that was pickled."""
    table = _vector(path, group, "table")
    fields = table.dtype.names
    if fields[0] != "index" or table.dtype["index"].kind != "S":
        raise DataError(path, "image paths as index", f"{fields[0]} of {table.dtype[0]}", _REMEDY)
    _bound(path, "bytes of a path", table.dtype["index"].itemsize, _LONGEST_TEXT)
    rows = table[()]
    columns: list[tuple[str, ...]] = []
    blocks = []
    for field in fields[1:]:
        names = _names(path, _pickled(path, table.attrs[f"{field}_kind"]))
        columns += names
        blocks.append(np.asarray(rows[field], dtype=np.float64).reshape(len(rows), len(names)))
    order = {column: number for number, column in enumerate(_column_order(path, group))}
    values = np.hstack(blocks)
    arranged = sorted(range(len(columns)), key=lambda number: order[columns[number]])
    images = [image.decode("utf-8") for image in rows["index"]]
    return [columns[number] for number in arranged], images, values[:, arranged]


def _column_order(path: Path, group: h5py.Group) -> list[tuple[str, ...]]:
    """Return the columns in the order of the frame; blocks hold them by type."""
    axes = _pickled(path, group.attrs["non_index_axes"])
    if not isinstance(axes, list) or len(axes) != 1 or len(axes[0]) != 2:
        raise DataError(path, "one axis of columns", type(axes).__name__, _REMEDY)
    return _names(path, axes[0][1])


def _pickled(path: Path, attribute: object) -> object:
    try:
        return parse_text(bytes(attribute))  # type: ignore[call-overload]
    except PickledTextError as error:
        raise PickledTableError(path, "columns named by text", str(error), _REMEDY) from error


def _names(path: Path, parsed: object) -> list[tuple[str, ...]]:
    if not isinstance(parsed, list) or not all(isinstance(name, tuple) for name in parsed):
        raise DataError(path, "a list of columns", type(parsed).__name__, _REMEDY)
    if not all(isinstance(part, str) for name in parsed for part in name):
        raise DataError(path, "columns named by text", "other names", _REMEDY)
    return parsed


def _member(path: Path, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """Return a member of a group that lies in the same file, not one that a link leads to."""
    import h5py

    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        found = "nothing" if link is None else type(link).__name__
        raise DataError(path, f"{_EXPECTED}, with {name} in the file itself", found, _REMEDY)
    return group[name]


def _dataset(path: Path, group: h5py.Group, name: str) -> h5py.Dataset:
    """Return a dataset of numbers or text, and refuse one of pickled objects, of other files, or beyond all measure."""
    import h5py

    dataset = _member(path, group, name)
    if not isinstance(dataset, h5py.Dataset):
        raise DataError(path, f"{_EXPECTED}, with {name} as a dataset", type(dataset).__name__, _REMEDY)
    if dataset.dtype.kind == "O" or "PSEUDOATOM" in dataset.attrs:
        raise PickledTableError(path, "numbers and text alone", f"pickled objects in {dataset.name}", _REMEDY)
    if dataset.external is not None or dataset.is_virtual:
        raise DataError(path, f"{name} in the file itself", "one that is stored in other files", _REMEDY)
    _bound(path, f"bytes of {name}", dataset.size * dataset.dtype.itemsize, _MOST_BYTES)
    return dataset


def _vector(path: Path, group: h5py.Group, name: str) -> h5py.Dataset:
    """Return a dataset of one axis: names, codes, or rows of a table."""
    dataset = _dataset(path, group, name)
    if len(dataset.shape) != 1:
        raise DataError(path, f"one axis of {name}", f"{list(dataset.shape)}", _REMEDY)
    _bound(path, f"entries of {name}", dataset.size, _MOST_ENTRIES)
    return dataset


def _bound(path: Path, what: str, found: int, most: int) -> None:
    if not 0 <= found <= most:
        raise DataError(path, f"{what}: at most {most}", f"{found}", _REMEDY)


def _strings(path: Path, group: h5py.Group, name: str) -> list[str]:
    dataset = _vector(path, group, name)
    _bound(path, f"bytes of a text of {name}", dataset.dtype.itemsize, _LONGEST_TEXT)
    stored = dataset[()]
    if stored.dtype.kind == "S":
        return [text.decode("utf-8") for text in stored]
    return [str(value) for value in stored]


def _text(attribute: object) -> str:
    return attribute.decode() if isinstance(attribute, bytes) else str(attribute)
