"""A table of labels as DeepLabCut and Lightning Pose keep them, from CSV."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.annotations.images import plain_path
from datamodules.annotations.subjects import LARGEST_PX
from datamodules.formats.errors import DataError

HEADERS = (("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords"))
_EXPECTED = "header rows scorer, bodyparts, coords (with individuals in the second row for several animals)"
_MISSING = ("", "nan", "na", "null", "none")
_BODYPART, _COORD = -2, -1


@dataclass(frozen=True)
class LabelTable:
    """Labels of the frames of one or more videos.

    Args:
        path: The file.
        columns: For each column scorer, individual where there are several, body part, and "x" or "y".
        images: For each row the path of its image as it is written, with forward slashes.
        values: Coordinates in pixels [rows, columns]; NaN is unlabelled.
    """

    path: Path
    columns: tuple[tuple[str, ...], ...]
    images: tuple[str, ...]
    values: NDArray[np.float64]

    @property
    def bodyparts(self) -> tuple[str, ...]:
        """Return the names of body parts, in the order of the columns."""
        return tuple(dict.fromkeys(column[_BODYPART] for column in self.columns))

    @property
    def individuals(self) -> tuple[str | None, ...]:
        """Return the names of animals; None stands for the only one of a table that names none."""
        return tuple(dict.fromkeys(column[1] if len(column) == 4 else None for column in self.columns))

    def points(self, individual: str | None, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the coordinates of an animal's body parts [rows, K, 2]; NaN where it has none of that name."""
        found = np.full((len(self.images), len(names), 2), np.nan)
        places = {name: index for index, name in enumerate(names)}
        for number, column in enumerate(self.columns):
            owner = column[1] if len(column) == 4 else None
            if owner == individual and column[_BODYPART] in places:
                found[:, places[column[_BODYPART]], "xy".index(column[_COORD])] = self.values[:, number]
        return found


def checked_table(
    path: Path, columns: Sequence[tuple[str, ...]], images: Sequence[str], values: NDArray[np.float64]
) -> LabelTable:
    """Make a table of what was read, without columns of likelihood.

    Raises:
        DataError: If columns are no pairs of x and y, an image has two rows, or half a point is missing or infinite.
    """
    kept = [number for number, column in enumerate(columns) if column[_COORD] != "likelihood"]
    named = tuple(columns[number] for number in kept)
    wrong = [column for column in named if column[_COORD] not in ("x", "y")]
    if wrong or len(set(named)) != len(named) or not named:
        found = str(wrong[0]) if wrong else "columns that repeat, or none"
        raise DataError(path, "one column x and one y for each body part", found, "mend the header rows")
    for column in named:
        if (*column[:-1], "y" if column[_COORD] == "x" else "x") not in named:
            raise DataError(
                path, "x and y for each body part", f"only {column[_COORD]} of {column[_BODYPART]}", "mend it"
            )
    table = LabelTable(path, named, tuple(plain_path(image) for image in images), values[:, kept])
    refuse_doubles(path, table.images)
    _refuse_half_points(table)
    return table


def refuse_doubles(path: Path, images: Sequence[str]) -> None:
    """Refuse rows of which several speak of one image.

    Raises:
        DataError: With the images that have several.
    """
    doubles = sorted(image for image, count in Counter(images).items() if count > 1)
    if doubles:
        raise DataError(path, "one row for each image", f"more for {', '.join(doubles[:5])}", "remove the others")


def _refuse_half_points(table: LabelTable) -> None:
    for individual in table.individuals:
        points = table.points(individual, table.bodyparts)
        bad = (np.abs(points) >= LARGEST_PX).any(axis=2) | (
            np.isnan(points).any(axis=2) != np.isnan(points).all(axis=2)
        )
        if bad.any():
            row, joint = np.argwhere(bad)[0]
            raise DataError(
                table.path,
                expected="x and y of every labelled body part, both finite",
                found=f"{points[row, joint].tolist()} for {table.bodyparts[joint]} in {table.images[row]}",
                remedy="label it again, or leave both empty",
            )


def has_label_header(path: Path) -> bool:
    """Tell whether a CSV file starts with the header rows of labels."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = [row[0] if row else "" for row, _ in zip(csv.reader(file), range(4), strict=False)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return any(tuple(first[: len(header)]) == header for header in HEADERS)


def read_csv(path: Path) -> LabelTable:
    """Read a table of labels, with images named in one column, or in three: folder, video, image.

    Raises:
        DataError: If it is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(path, "CSV in UTF-8", str(error), "save it again as CSV in UTF-8") from error
    first = [row[0].strip() for row in rows[:4]]
    header = next((header for header in HEADERS if tuple(first[: len(header)]) == header), None)
    if header is None:
        raise DataError(path, _EXPECTED, ", ".join(first) or "an empty file", "export the labels again")
    head, body = rows[: len(header)], rows[len(header) :]
    # the image's columns are those before the first x; above them all header cells but the first are empty
    start = next((number for number, cell in enumerate(head[-1]) if number and cell.strip()), len(head[-1]))
    if any(len(row) != len(head[-1]) for row in rows):
        number = next(number for number, row in enumerate(rows) if len(row) != len(head[-1]))
        found = f"{len(rows[number])} in row {number + 1}"
        raise DataError(path, f"{len(head[-1])} cells in every row", found, "export the labels again")
    columns = [tuple(cell.strip() for cell in column) for column in zip(*(row[start:] for row in head), strict=True)]
    # a row that names the index columns has no image and no values
    body = [row for row in body if any(cell.strip() for cell in row[start:]) or Path(row[start - 1]).suffix]
    images = ["/".join(cell.strip() for cell in row[:start] if cell.strip()) for row in body]
    values = np.array(
        [[_number(path, image, cell) for cell in row[start:]] for image, row in zip(images, body, strict=True)]
    )
    return checked_table(path, columns, images, values.reshape(len(body), len(columns)))


def _number(path: Path, image: str, cell: str) -> float:
    if cell.strip().lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError as error:
        raise DataError(path, "numbers or empty cells", f"{cell!r} for {image}", "mend the cell") from error
