"""The one error that every refusal of input data is raised as."""

from __future__ import annotations

from pathlib import Path


class DataError(Exception):
    """Refuse input data: name the file, what was expected, what was found, and what to do.

    Args:
        path: The file or folder at fault.
        expected: What would have been accepted.
        found: What was there instead.
        remedy: What the reader of the message can do about it.
    """

    def __init__(self, path: Path | str, expected: str, found: str, remedy: str) -> None:
        # all four are passed on as args, so that the error survives pickling between worker processes
        super().__init__(path, expected, found, remedy)
        self.path = Path(path)
        self.expected = expected
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}; {self.remedy}"
