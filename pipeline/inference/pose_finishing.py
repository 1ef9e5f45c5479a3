"""From what the network said of each frame to what stands in the table: status, filled gaps, smoothed joints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.inference.pose_rows import FRAME_STATUS, Rows
from pipeline.inference.pose_tables import PoseChunk
from pipeline.inference.regions import inside
from pipeline.inference.smoothing import MEDIAN_REACH, OneEuro, fill_gaps, median

Method = Literal["none", "median", "one-euro"]

OK, LOW, OUTSIDE, FILLED, UNREADABLE, NO_REGION = "ok", "low", "outside", "filled", "unreadable", "no region"

_CHUNK = 1024  # frames in memory, beside their neighbours


@dataclass(frozen=True)
class Smoothing:
    """What is done to the joints behind the network.

    Args:
        method: "median" over five frames, or the "one-euro" filter, which follows fast movement and calms slow one.
        fill_gap: Gaps of up to so many frames are filled in a straight line; 0 fills none.
        min_confidence: Joints below are marked as low, and neither smoothing nor filling uses them.

    Raises:
        ValueError: If a number is out of its range.
    """

    method: Method = "none"
    fill_gap: int = 0
    min_confidence: float = 0.3

    def __post_init__(self) -> None:
        if self.method not in ("none", "median", "one-euro"):
            raise ValueError(f"smooth: expected none, median or one-euro, found {self.method!r}")
        if self.fill_gap < 0:
            raise ValueError(f"fill gap: expected 0 or more frames, found {self.fill_gap}")
        if not 0.0 <= self.min_confidence <= 1.0:
            raise ValueError(f"min confidence: expected 0 to 1, found {self.min_confidence}")


class RowSource(Protocol):
    """Rows that can be read in parts."""

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> Rows:
        """Return the rows from `start` to before `stop`, of those that are there."""
        ...


def joint_status(rows: Rows, min_confidence: float) -> NDArray[Any]:
    """Return a word for each joint of each row [N, K].

    The first that is true counts: `unreadable` frames and those with `no region` have no joints; `low` is a confidence
    below the least; `outside` is a joint beyond the frame's border; all else is `ok`.
    """
    points = rows["points"]
    absent = np.isnan(points).any(axis=2)
    status = np.full(absent.shape, OK, dtype=object)
    status[~inside(points, rows["size"][:, None, :])] = OUTSIDE
    status[rows["confidence"] < min_confidence] = LOW
    status[absent] = NO_REGION
    status[rows["status"] == FRAME_STATUS.index("unreadable")] = UNREADABLE
    return status


def finished_chunks(rows: RowSource, smoothing: Smoothing) -> Iterator[PoseChunk]:
    """Yield the frames as they go into the table, some at a time; memory does not depend on their number.

    A chunk is computed with as many neighbours as a result may depend on, so that no border shows. Rows of unreadable
    frames and of frames without a region stay empty, also within a gap that is filled.

    Raises:
        RuntimeError: If the rows are not those of the frames 0, 1, 2 and so on.
    """
    reach = smoothing.fill_gap + 1 + MEDIAN_REACH
    euro: OneEuro | None = None
    for start in range(0, len(rows), _CHUNK):
        first = max(0, start - reach)
        part = rows.read(first, start + _CHUNK + reach)
        points, status = part["points"].astype(np.float64), joint_status(part, smoothing.min_confidence)
        filled = fill_gaps(points, _usable(status), part["time_s"], smoothing.fill_gap)
        status[filled & (status == LOW)] = FILLED
        if smoothing.method == "median":
            points = median(points, _usable(status))
        here = slice(start - first, start - first + _CHUNK)
        kept, points, status = part[here], points[here], status[here]
        _check_numbers(kept, start, min(start + _CHUNK, len(rows)))
        if smoothing.method == "one-euro":
            euro = euro or OneEuro(points.shape[1])
            points = euro(points, _usable(status), kept["time_s"], kept["size"].max(axis=1))
        points[np.isin(status, (UNREADABLE, NO_REGION))] = np.nan
        yield PoseChunk(kept["index"], kept["time_s"], points, kept["confidence"].astype(np.float64), status)


def _check_numbers(rows: Rows, start: int, stop: int) -> None:
    """Refuse rows that are not those of the frames from `start` to before `stop`."""
    if not np.array_equal(rows["index"], np.arange(start, stop)):
        raise RuntimeError(
            f"expected the rows of frames {start} to {stop - 1}, found others: the disk failed, or another program "
            "wrote into the output folder; start again"
        )


def _usable(status: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isin(status, (OK, OUTSIDE, FILLED))
