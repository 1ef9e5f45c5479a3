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
_REMEDY = "export it again from DeepLabCut, or keep the CSV file of the same name in its place"


class PickledTableError(DataError):
    """Refuse a table that could be read by unpickling alone, which may run code of whoever wrote it."""


def read_h5(path: Path) -> LabelTable:
    """Read a table of labels in pandas' format "fixed" or "table".

    Raises:
        PickledTableError: If its axes or values are pickled objects.
        DataError: If it is no such file.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            groups = [group for group in file.values() if "pandas_type" in group.attrs]
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
    values = np.full((len(images), len(columns)), np.nan)
    places = {column: number for number, column in enumerate(columns)}
    for number in range(int(group.attrs["nblocks"])):
        stored = group[f"block{number}_values"]
        block = _plain(path, stored)[()]
        if "shape" in stored.attrs:  # how pandas marks a block without elements
            continue
        # blocks are stored with rows first unless told otherwise
        block = block if stored.attrs.get("transposed", 0) else block.T
        for position, column in enumerate(_axis(path, group, f"block{number}_items")):
            values[:, places[column]] = block[:, position]
    return columns, images, values


def _axis(path: Path, group: h5py.Group, name: str) -> list[tuple[str, ...]]:
    """Return the labels of an axis, each as the tuple of its levels."""
    if _text(group.attrs[f"{name}_variety"]) != "multi":
        return [(text,) for text in _strings(path, group[name])]
    levels = []
    for level in range(int(group.attrs[f"{name}_nlevels"])):
        texts, codes = _strings(path, group[f"{name}_level{level}"]), _plain(path, group[f"{name}_label{level}"])[()]
        if len(codes) and codes.min() < 0:
            raise DataError(path, "a name for every row and column", f"a missing one in level {level}", _REMEDY)
        levels.append([texts[code] for code in codes])
    return list(zip(*levels, strict=True))


def _appendable(path: Path, group: h5py.Group) -> tuple[list[tuple[str, ...]], list[str], NDArray[np.float64]]:
    """Read rows of a compound type; what its columns are called stands in attributes, as text that was pickled."""
    table = group["table"]
    fields = table.dtype.names
    if fields[0] != "index" or table.dtype["index"].kind != "S":
        raise DataError(path, "image paths as index", f"{fields[0]} of {table.dtype[0]}", _REMEDY)
    rows = _plain(path, table)[()]
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


def _plain(path: Path, dataset: h5py.Dataset) -> h5py.Dataset:
    """Pass on a dataset of numbers or text, and refuse one of pickled objects."""
    if dataset.dtype.kind == "O" or "PSEUDOATOM" in dataset.attrs:
        raise PickledTableError(path, "numbers and text alone", f"pickled objects in {dataset.name}", _REMEDY)
    return dataset


def _strings(path: Path, dataset: h5py.Dataset) -> list[str]:
    stored = _plain(path, dataset)[()]
    if stored.dtype.kind == "S":
        return [text.decode("utf-8") for text in stored]
    return [str(value) for value in stored]


def _text(attribute: object) -> str:
    return attribute.decode() if isinstance(attribute, bytes) else str(attribute)
