"""Joints over time: short gaps filled, and noise taken out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MEDIAN_REACH = 2  # frames to either side
_STEP_S = 1 / 30  # between frames that have no time
# The cutoff in Hz at rest, its gain in Hz per frame length per s, and the cutoff of the speed.
_MIN_CUTOFF_HZ, _GAIN, _SPEED_CUTOFF_HZ = 1.0, 40.0, 1.0


def fill_gaps(
    points: NDArray[np.float64], usable: NDArray[np.bool_], time_s: NDArray[np.float64], longest: int
) -> NDArray[np.bool_]:
    """Lay joints [N, K, 2] that are not usable on a line between their neighbours in time that are, in place.

    Args:
        points: In pixels.
        usable: [N, K].
        time_s: Of each frame [N]; where a time is missing, frames count as equally far apart.
        longest: Gaps of more frames than this are left as they are.

    Returns:
        Which joints were filled [N, K].
    """
    count = len(points)
    row = np.arange(count)[:, None]
    before = np.maximum.accumulate(np.where(usable, row, -1), axis=0)
    after = np.minimum.accumulate(np.where(usable, row, count)[::-1], axis=0)[::-1]
    filled = ~usable & (before >= 0) & (after < count) & (after - before - 1 <= longest)
    rows, joints = np.nonzero(filled)
    ends = before[rows, joints], after[rows, joints]
    place = np.stack([rows, *ends]).astype(np.float64)
    times = np.stack([time_s[index] for index in (rows, *ends)])
    timed = np.isfinite(times).all(axis=0) & (times[2] > times[1])
    place[:, timed] = times[:, timed]
    part = ((place[0] - place[1]) / (place[2] - place[1]))[:, None]
    points[rows, joints] = (1 - part) * points[ends[0], joints] + part * points[ends[1], joints]
    return filled


def median(points: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the median [N, K, 2] over each usable joint's five nearest frames, as far as they are usable."""
    reach = MEDIAN_REACH
    known = np.where(usable[..., None], points, np.nan)
    padded = np.pad(known, ((reach, reach), (0, 0), (0, 0)), constant_values=np.nan)
    window = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0), axis=-1)  # NaN last
    count = np.maximum(np.isfinite(window).sum(axis=-1, keepdims=True), 1)
    middle = [np.take_along_axis(window, index, axis=-1)[..., 0] for index in ((count - 1) // 2, count // 2)]
    return np.where(usable[..., None], (middle[0] + middle[1]) / 2, points)


class OneEuro:
    """The One Euro filter: a low pass of first order whose cutoff rises with the joint's speed.

    It looks back alone, and its state goes on from one call to the next. The speed counts in frame lengths per second,
    so that the filter does the same at any resolution.

    Source: Casiez, Roussel and Vogel 2012, 1 Euro Filter, section 3.

    Args:
        joints: Their number.
    """

    def __init__(self, joints: int) -> None:
        self._point = np.full((joints, 2), np.nan)  # NaN before a joint's first frame
        self._speed = np.zeros((joints, 2))
        self._time = np.full(joints, np.nan)
        self._used = np.full(joints, -1)  # the row of each joint's last use
        self._row = 0

    def __call__(
        self,
        points: NDArray[np.float64],
        usable: NDArray[np.bool_],
        time_s: NDArray[np.float64],
        length_px: NDArray[np.integer[Any]],
    ) -> NDArray[np.float64]:
        """Return the next frames' joints [N, K, 2] smoothed; those that are not usable come back as they are.

        Args:
            points: In pixels.
            usable: [N, K].
            time_s: Of each frame [N]; where a time is missing, frames count as 1 / 30 s apart.
            length_px: The longer side of each frame [N].
        """
        smooth = points.copy()
        for row, (point, use, time) in enumerate(zip(points, usable, time_s, strict=True)):
            smooth[row, use] = self._step(point[use], use, time, max(int(length_px[row]), 1))
            self._row += 1
        return smooth

    def _step(
        self, point: NDArray[np.float64], use: NDArray[np.bool_], time_s: float, length_px: int
    ) -> NDArray[np.float64]:
        """Take in the joints [k, 2] that are usable on a frame, and return them smoothed."""
        last, speed, past = self._point[use], self._speed[use], time_s - self._time[use]
        past = np.where(past > 0, past, (self._row - self._used[use]) * _STEP_S)[:, None]
        known = np.isfinite(last)
        moved = np.where(known, point - last, 0.0) / past
        speed = speed + _weight(past, _SPEED_CUTOFF_HZ) * (moved - speed)
        weight = _weight(past, _MIN_CUTOFF_HZ + _GAIN * np.abs(speed) / length_px)
        point = np.where(known, last + weight * (point - last), point)
        self._point[use], self._speed[use], self._time[use], self._used[use] = point, speed, time_s, self._row
        return point


def _weight(past_s: NDArray[np.float64], cutoff_hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return what part of the newest value is taken, for a cutoff."""
    turn = 2 * np.pi * cutoff_hz * past_s
    part: NDArray[np.float64] = turn / (1 + turn)
    return part
