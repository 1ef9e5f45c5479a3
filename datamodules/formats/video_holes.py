"""Parts of a Matroska file that its demuxer passes over without a word."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream

_OVERHEAD = 64  # bytes between two packets: heads of a block and of a cluster, its time and checksum
_RECENT = 32  # stamps that tell whether the rate is constant
_CONSTANT = 0.8  # share of their steps that are one frame; those at the end may wait for frames of type B
_REORDERED = 4  # frames before the latest stamp that may still be missing
_GAP = 1.8  # times a frame's step


class MatroskaHoles:
    """Find lost packets: in a sound file one packet follows the other, with a few bytes between them.

    A step in time alone tells nothing, as frames of a variable rate have such steps too. A hole in the bytes together
    with a step in time does.

    Args:
        stream: The video.

    Attributes:
        missing: How many frames are lost without a row, as far as the bytes tell.
        messages: One for each hole with such frames.
        near: Half a frame's step in units of the stream.
    """

    def __init__(self, stream: VideoStream) -> None:
        base, rate = stream.time_base, stream.average_rate or stream.guessed_rate
        self._base = float(base or 0)
        self._step = float(1 / (rate * base)) if rate and base else 0.0
        self._index, self._start = stream.index, stream.start_time
        self.near = self._step / 2
        self.missing = 0
        self.messages: list[str] = []
        self._end: int | None = None  # of the packet before
        self._between = 0  # most bytes between two packets so far
        self._hole = 0  # bytes
        self._sizes = [0, 0]  # packets of the video, and their bytes
        self._recent: list[int] = []  # sorted

    def lost(self, packet: Packet) -> list[int]:
        """Return the stamps that are missing before a packet of any stream, if the rate is constant."""
        if packet.pos is not None:
            between = 0 if self._end is None else packet.pos - self._end
            if between > _OVERHEAD + 2 * self._between:
                self._hole += between
            else:
                self._between = max(self._between, between)
            self._end = packet.pos + packet.size
        if packet.stream_index != self._index or packet.pts is None:
            return []
        lost = self._stamps(packet.pts) if self._hole and self._recent else []
        self._hole = 0
        self._sizes = [self._sizes[0] + 1, self._sizes[1] + packet.size]
        bisect.insort(self._recent, packet.pts)
        del self._recent[:-_RECENT]
        return lost

    def _stamps(self, stamp: int) -> list[int]:
        steps, latest = np.diff(self._recent), self._recent[-1]
        usual = max(self._step, float(np.median(steps)) if len(steps) else 0.0)
        if not stamp - latest > _GAP * usual > 0:
            return []  # what was lost is sound
        # stamps are whole units: each may be off by half of one
        constant = self._step > 0 and np.mean(np.abs(steps - self._step) <= 1) >= _CONSTANT if len(steps) else False
        count = round((stamp - latest) / usual)
        if not constant or count > self._hole:
            self._report(latest)
            return []
        grid = [round(stamp - self._step * index) for index in range(1, count + _REORDERED)]
        known = np.array(self._recent)
        return [s for s in reversed(grid) if s > known[0] and np.abs(known - s).min() > self.near]

    def _report(self, latest: int) -> None:
        """Count what a hole may have held, by the size of the packets so far."""
        count = max(1, round(self._hole * self._sizes[0] / max(1, self._sizes[1])))
        self.missing += count
        at = (latest - (self._start or 0)) * self._base
        self.messages.append(f"about {count} frames are lost after {at:.3f} s, in {self._hole} bytes that do not read")
