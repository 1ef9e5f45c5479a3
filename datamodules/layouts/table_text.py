"""The text of a CSV table: its separator, its header, and rows with the numbers that a spreadsheet shows."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.formats.errors import DataError

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SAID = re.compile(r"sep=([,;\t])[ \t]*(?:\r\n|\r|\n)", re.IGNORECASE)
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

    What a spreadsheet adds is passed over as well: a first line such as `sep=;`, which it does not count as a row,
    and empty columns at the end.

    Args:
        path: A text file in UTF-8, with or without byte order mark.
        known: Tells whether a name can be that of a column; the separator that yields most of them is taken. Names
            whose first word is known in small letters are read so.

    Raises:
        DataError: If it cannot be read, a column comes twice, or a row has more or fewer cells than the header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, "a table in UTF-8", str(error), _SAVE) from error
    if "\0" in text:
        raise DataError(path, "a table in UTF-8", "a byte of value 0", _SAVE)
    said = _SAID.match(text)
    if said:
        text = text[said.end() :]
    separator = said[1] if said else _separator(text, known)
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
    columns = tuple(_spelt(name, known) for name in _trimmed(filled[0][1], 0))
    _refuse_doubled(path, columns)
    rows = [(number, _trimmed(cells, len(columns))) for number, cells in filled[1:]]
    for number, cells in rows:
        if len(cells) != len(columns):
            found = f"{len(cells)} in row {number}"
            remedy = "put a path that holds the separator into double quotes"
            raise DataError(path, f"{len(columns)} cells in each row", found, remedy)
    return Table(columns, tuple((number, dict(zip(columns, cells, strict=True))) for number, cells in rows))


def _separator(text: str, known: Callable[[str], bool]) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    cells = {separator: [cell.strip(' "') for cell in header.split(separator)] for separator in _SEPARATORS}
    return max(_SEPARATORS, key=lambda separator: sum(known(_spelt(cell, known)) for cell in cells[separator]))


def _spelt(name: str, known: Callable[[str], bool]) -> str:
    """Return the known spelling of a column's name, such as image_T1 for Image_T1."""
    word, mark, rest = name.partition("_")
    lower = f"{word.lower()}{mark}{rest}"
    return lower if not known(name) and known(lower) else name


def _trimmed(cells: Sequence[str], least: int) -> list[str]:
    """Return cells without empty ones at the end, but no fewer than are wanted."""
    count = len(cells)
    while count > least and not cells[count - 1]:
        count -= 1
    return list(cells[:count])


def _refuse_doubled(path: Path, columns: Sequence[str]) -> None:
    if doubled := sorted({name for name in columns if columns.count(name) > 1}):
        found = f"{', '.join(map(repr, doubled))} several times"
        raise DataError(path, "every column once, with a name", found, "rename or remove the others")
