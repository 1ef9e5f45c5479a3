"""What the readers of files warn of, kept instead of shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

GEOMETRY = "doubtful-geometry"
OTHER = "reader-warning"
_KINDS = {"nifti_header": GEOMETRY, "itk_geometry": GEOMETRY}  # by the last name of the logger


class _Keeper(logging.Handler):
    """Keep the kind and the text of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record once."""
        entry = (_KINDS.get(record.name.rpartition(".")[2], OTHER), record.getMessage())
        if entry not in self.kept:
            self.kept.append(entry)


@contextmanager
def recorded_warnings() -> Iterator[list[tuple[str, str]]]:
    """Collect what `datamodules` warns of while the block runs, in place of the log.

    Yields:
        Pairs of kind and text, which grow as warnings come.
    """
    logger, keeper = logging.getLogger("datamodules"), _Keeper()
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(keeper)
    try:
        yield keeper.kept
    finally:
        logger.removeHandler(keeper)
        logger.propagate = propagates
