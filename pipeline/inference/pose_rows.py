"""What the network said of each frame of a video, kept on disk so that an interrupted start goes on."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import write_atomically
from datamodules.formats.frames import FrameStatus

log = logging.getLogger(__name__)

FRAME_STATUS: tuple[FrameStatus, ...] = get_args(FrameStatus)
_ROWS, _ORIGIN, _FINDINGS = "rows.bin", "origin.json", "findings.json"
_CHECKED = 4096  # rows read at once
_SYNC_EVERY = 512  # rows: what a failure of the power may cost

Rows = NDArray[Any]  # records of `row_type`


def row_type(joints: int) -> np.dtype[Any]:
    """Return the record of one frame: its number, time, size and status, the subject's box, and its joints.

    Numbers that are not there are NaN: the time without a stamp, the box and the joints of an unreadable frame.
    """
    return np.dtype(
        [
            ("index", "<i8"),
            ("time_s", "<f8"),
            ("size", "<i4", (2,)),  # width and height
            ("status", "u1"),  # place in FRAME_STATUS
            ("box", "<f4", (4,)),
            ("points", "<f4", (joints, 2)),
            ("score", "<f4", (joints,)),
            ("confidence", "<f4", (joints,)),
        ]
    )


def empty_rows(count: int, joints: int) -> Rows:
    """Return rows without any joint."""
    rows = np.zeros(count, row_type(joints))
    for name in ("time_s", "box", "points", "score", "confidence"):
        rows[name] = np.nan
    return rows


class RowStore:
    """Rows in a file that is appended to.

    Args:
        folder: Holds nothing else; made if it is absent.
        origin: What the rows come from, as a fingerprint; rows of another origin are removed.
        joints: Their number.
    """

    def __init__(self, folder: Path, origin: str, joints: int) -> None:
        self.folder = folder
        self._type = row_type(joints)
        self._path = folder / _ROWS
        if self._origin() != origin:
            if self._path.exists() and len(self):
                log.info("%s: %d rows are dropped, they are of another video, model or setting", folder, len(self))
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_atomically(folder / _ORIGIN, json.dumps({"origin": origin}).encode())
        self._path.touch()
        self._unsynced = 0

    def _origin(self) -> str | None:
        try:
            return str(json.loads((self.folder / _ORIGIN).read_bytes())["origin"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # nothing there, or cut short: begun anew

    def __len__(self) -> int:
        return self._path.stat().st_size // self._type.itemsize

    def keep_whole(self, multiple: int) -> int:
        """Remove what a kill or a failure of the power has spoilt, and return how many rows are left.

        Args:
            multiple: The rows of a batch: batches that are cut otherwise could give other last digits.
        """
        kept = max(self._good(), 0) // multiple * multiple
        os.truncate(self._path, kept * self._type.itemsize)
        return kept

    def _good(self) -> int:
        """Return how many rows at the beginning are those of the frames 0, 1, 2 and so on, and were not cut."""
        count = len(self)
        for start in range(0, count, _CHECKED):
            numbers = self.read(start, start + _CHECKED)["index"]
            wrong = np.flatnonzero(numbers != np.arange(start, start + len(numbers)))
            if len(wrong):
                # The last of the good rows may itself have been cut where its page ended.
                return start + int(wrong[0]) - 1
        return count

    def note(self, findings: list[str]) -> None:
        """Keep what was found of the frames when they were first seen, for a start that goes on."""
        write_atomically(self.folder / _FINDINGS, json.dumps(findings).encode())

    def noted(self) -> list[str] | None:
        """Return what `note` has kept, None where there is nothing."""
        path = self.folder / _FINDINGS
        return [str(finding) for finding in json.loads(path.read_bytes())] if path.exists() else None

    def clear(self) -> None:
        """Remove all rows."""
        os.truncate(self._path, 0)

    def append(self, rows: Rows) -> None:
        """Add rows at the end."""
        with self._path.open("ab") as file:
            file.write(rows.tobytes())
            self._unsynced += len(rows)
            if self._unsynced >= _SYNC_EVERY:
                file.flush()
                os.fsync(file.fileno())
                self._unsynced = 0

    def read(self, start: int, stop: int) -> Rows:
        """Return the rows from `start` to before `stop`, of those that are there."""
        start, stop = max(start, 0), min(stop, len(self))
        if stop <= start:
            return np.zeros(0, self._type)
        return np.fromfile(self._path, self._type, stop - start, offset=start * self._type.itemsize)

    def remove(self) -> None:
        """Remove the rows and their folder."""
        shutil.rmtree(self.folder)
