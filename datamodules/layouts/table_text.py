"""The text of a CSV table: its separator, its header, and rows with the numbers that a spreadsheet shows."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.formats.errors import DataError

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SAVE = "save the table as CSV in UTF-8"


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: The header.
        rows: The number of each row, the header's being 1, and its cells by column, without blanks around them.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def read_table(path: Path, known: Callable[[str], bool]) -> Table:
    """Read a table with commas, semicolons or tabs; rows without any content are passed over.

    Args:
        path: A text file in UTF-8, with or without byte order mark.
        known: Tells whether a name can be that of a column; the separator that yields most of them is taken.

    Raises:
        DataError: If it cannot be read, a column comes twice, or a row has more or fewer cells than the header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, "a table in UTF-8", str(error), _SAVE) from error
    if "\0" in text:
        raise DataError(path, "a table in UTF-8", "a byte of value 0", _SAVE)
    separator = _separator(text, known)
    stream = io.StringIO(text, newline="")  # a line end within quotes belongs to its cell
    try:
        lines = [
            (number, [cell.strip() for cell in cells])
            for number, cells in enumerate(csv.reader(stream, delimiter=separator, strict=True), start=1)
        ]
    except csv.Error as error:
        raise DataError(path, f"cells set apart by {_SEPARATORS[separator]}s", str(error), _SAVE) from error
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if not filled:
        raise DataError(path, "a header and a row for each case", "an empty table", "fill it")
    columns = tuple(filled[0][1])
    _refuse_doubled(path, columns)
    for number, cells in filled[1:]:
        if len(cells) != len(columns):
            found = f"{len(cells)} in row {number}"
            remedy = "put a path that holds the separator into double quotes"
            raise DataError(path, f"{len(columns)} cells in each row", found, remedy)
    return Table(columns, tuple((number, dict(zip(columns, cells, strict=True))) for number, cells in filled[1:]))


def _separator(text: str, known: Callable[[str], bool]) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(_SEPARATORS, key=lambda separator: sum(known(cell.strip(' "')) for cell in header.split(separator)))


def _refuse_doubled(path: Path, columns: Sequence[str]) -> None:
    if doubled := sorted({name for name in columns if columns.count(name) > 1}):
        found = f"{', '.join(map(repr, doubled))} several times"
        raise DataError(path, "every column once, with a name", found, "rename or remove the others")
