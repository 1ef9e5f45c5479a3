"""Which presentation stamp belongs to which picture."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream

_CHUNK_HEADER = 8  # bytes before a packet of AVI: four letters and the size


class Place(NamedTuple):
    """A stamp in units of the stream, and the run it is in: joined recordings hold equal stamps."""

    run: int
    stamp: int


class Presentation:
    """Stamps of packets whose pictures have not come yet, in the order of presentation.

    Where the stamps start anew, as in recordings that were joined, a new run of them begins.
    """

    def __init__(self) -> None:
        self._waiting: list[Place] = []
        self._lost: set[Place] = set()  # of those, the ones without a packet
        self._run = 0
        self._latest: int | None = None

    def add(self, packet: Packet, stamp: int, near: float = 0.0) -> None:
        """Await a packet's picture; lost stamps at most `near` units away were not lost."""
        if packet.dts is not None:
            self._run += self._latest is not None and packet.dts < self._latest
            self._latest = packet.dts
        place = Place(self._run, stamp)
        for other in [lost for lost in self._lost if lost.run == self._run and abs(lost.stamp - stamp) <= near]:
            self._lost.remove(other)
            if other in self._waiting:
                self._waiting.remove(other)
        bisect.insort(self._waiting, place)

    def lose(self, stamps: Sequence[int]) -> None:
        """Put stamps in line whose packets are lost."""
        for stamp in stamps:
            bisect.insort(self._waiting, Place(self._run, stamp))
            self._lost.add(Place(self._run, stamp))

    def __contains__(self, stamp: int) -> bool:
        return any(waiting.stamp == stamp for waiting in self._waiting)

    def until(self, stamp: int) -> tuple[list[Place], Place]:
        """Take out a picture's stamp and those before it; return the latter and the picture's place."""
        place = next((i for i, waiting in enumerate(self._waiting) if waiting.stamp == stamp), None)
        if place is None:
            run = self._waiting[0].run if self._waiting else self._run
            own = Place(run, stamp)
            place = bisect.bisect_left(self._waiting, own)
            passed, self._waiting = self._waiting[:place], self._waiting[place:]
        else:
            own = self._waiting[place]
            passed, self._waiting = self._waiting[:place], self._waiting[place + 1 :]
        self._lost.difference_update(passed)
        return [waiting for waiting in passed if waiting.stamp != stamp], own

    def rest(self) -> list[Place]:
        """Return what is left."""
        return list(self._waiting)


class AviOrder:
    """The stamps of AVI, whose packets are numbered in the order of decoding.

    The index at the file's end tells each packet's number by its position. The demuxer only counts what it meets, so
    after a damaged part its own numbers are too small. Pictures take the numbers in turn, as each number is a time at
    which some picture is shown; near a lost one they may be off by as much as the codec reorders.

    Args:
        stream: The video, before any packet is read.

    Attributes:
        indexed: Whether the index reaches to the last packet that was met.
        foreign: Packets at positions that the index does not know, and which are left out.
        lost: Entries of the index whose packets were not met.
        ends: The number after the last one.
    """

    def __init__(self, stream: VideoStream) -> None:
        entries = np.array([(entry.pos, entry.timestamp) for entry in stream.index_entries], np.int64).reshape(-1, 2)
        entries = entries[np.argsort(entries[:, 0], kind="stable")]
        self._positions, self._numbers = entries[:, 0] + _CHUNK_HEADER, entries[:, 1]
        self.indexed = len(entries) > 0
        self.foreign = 0
        self.lost = 0
        self.ends = 0
        self._next = 0  # entry
        self._shift = 0  # from the demuxer's number to the index's, after the index ends
        self._free: list[int] = []  # numbers that no row has yet
        self._undecided: list[int] = []  # numbers of packets that no picture has come of yet

    def covers(self, frames: int) -> bool:
        """Tell whether the index holds as many frames as a header states, empty ones among them."""
        return len(self._numbers) > 0 and int(self._numbers[-1]) + 1 >= frames

    def knows(self, position: int | None) -> bool:
        """Tell whether a packet at this byte is in the index."""
        return position is not None and bool(np.isin(position, self._positions))

    def distrust(self) -> None:
        """Go by the demuxer's numbers, as the index is damaged itself."""
        self._positions, self._numbers, self.indexed = self._positions[:0], self._numbers[:0], False

    def add(self, packet: Packet) -> bool:
        """Number a packet; return whether it is one of the video."""
        entry = self._entry(packet)
        if entry is None:
            self.foreign += 1
            return False
        if entry < 0:
            self.indexed = False
            number = self.ends if packet.dts is None else max(self.ends, packet.dts + self._shift)
        else:
            self.lose(entry)
            self._next = entry + 1
            number = int(self._numbers[entry])
            self._shift = number - (number if packet.dts is None else packet.dts)
        packet.pts = packet.dts = number  # a decoder hands the former on to the picture
        self._await(number)
        return True

    def _entry(self, packet: Packet) -> int | None:
        """Return which entry of the index is the packet's: -1 beyond its end, None for a stray piece of the file."""
        if packet.pos is None or not len(self._positions) or packet.pos > self._positions[-1]:
            return -1
        entry = int(np.searchsorted(self._positions, packet.pos))
        if self._positions[entry] != packet.pos:
            return None if self._next else -1
        return entry if entry >= self._next else None

    def lose(self, until: int | None = None) -> None:
        """Put in line the numbers of entries that have not been met, to one or to the end."""
        lost = [int(number) for number in self._numbers[self._next : until] if number >= self.ends]
        for number in lost:
            self._await(number)
        self.lost += len(lost)

    def _await(self, number: int) -> None:
        bisect.insort(self._free, number)
        bisect.insort(self._undecided, number)
        self.ends = max(self.ends, number + 1)

    def settle(self, number: int | None, *, bidirectional: bool) -> tuple[list[int], int | None]:
        """Return the numbers of the rows before a picture, which nothing came of, and that of its own row.

        Args:
            number: That of the packet it was decoded from.
            bidirectional: Whether it is of type B. Pictures of other types come in the order of decoding, so
                packets before theirs without a picture get none any more.
        """
        if number is None:
            return [], self._free.pop(0) if self._free else None
        place = bisect.bisect_left(self._undecided, number)
        if self._undecided[place : place + 1] != [number]:
            return [], None  # damage can bring a picture out after later ones: its row is there already
        gone = 0 if bidirectional else place
        passed, self._free = self._free[:gone], self._free[gone:]
        del self._undecided[place], self._undecided[:gone]
        return passed, self._free.pop(0)

    def rest(self) -> list[int]:
        """Return what is left."""
        return list(self._free)
