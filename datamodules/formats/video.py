"""Reading a video from its first frame to its last.

Frames are decoded in order and never sought, as seeking lands on other frames than were asked for. A frame's time is
its presentation stamp less the stream's start; it is never computed from a frame rate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.frames import Frame, FrameStatus, VideoInfo
from datamodules.formats.video_length import cut_short, stated_frames
from datamodules.formats.video_orientation import orientation
from datamodules.formats.video_packets import Decoded, PacketDecoder

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["Frame", "VideoInfo", "VideoReader", "open_video"]

# Times the usual step; longer ones tell of lost frames where the file is damaged, and where it is not.
_LONG_STEP, _VERY_LONG_STEP = 1.8, 5.0
_ACCOUNTED = ("mov", "matroska", "avi")  # formats that show what is lost in other ways


class _Seen:
    """What the rows so far have in common.

    Attributes:
        counts: How many rows have each status.
        resized: How many frames have another size than the first, be their times known or not.
        ends_s: Until when the last frame is shown.
    """

    def __init__(self) -> None:
        self.counts: Counter[FrameStatus] = Counter()
        self.resized = 0
        self.ends_s = 0.0
        self._latest: float | None = None
        self._steps: Counter[float] = Counter()  # in s
        self._backwards = 0
        self._longest = (0.0, 0.0)  # step in s, and when it begins

    def add(self, frame: Frame, shown_s: float, size: tuple[int, int]) -> None:
        self.counts[frame.status] += 1
        self.resized += frame.image is not None and frame.image.shape[:2] != size
        if frame.time_s is None:
            return
        if self._latest is not None:
            step = frame.time_s - self._latest
            self._backwards += step <= 0
            self._steps[round(step, 3)] += 1
            self._longest = max(self._longest, (step, self._latest))
        self._latest = frame.time_s
        self.ends_s = max(self.ends_s, frame.time_s + shown_s)

    def messages(self, info: VideoInfo, long_step: float) -> list[str]:
        """Return what is to be reported; steps are long beyond so many times the median and the stated one."""
        rows = sum(self.counts.values())
        kinds = [
            (self.counts["unreadable"], "frames are unreadable"),
            (self.resized, f"frames are not {info.width} x {info.height} as the first one"),
            (self.counts["no_time"], "frames have no presentation stamp, and so no time"),
        ]
        found = [f"{count} of {rows} {meaning}" for count, meaning in kinds if count]
        if self._backwards:
            found.append(f"{self._backwards} presentation stamps are not after the one before")
        usual = max(self._median(), 1 / info.average_fps if info.average_fps else 0.0)
        step, begin = self._longest
        if step > long_step * usual > 0:
            found.append(f"frames may be lost after {begin:.3f} s, where the next comes {step:.3f} s later")
        return found

    def _median(self) -> float:
        middle, passed = sum(self._steps.values()) / 2, 0
        for step in sorted(self._steps):
            passed += self._steps[step]
            if passed >= middle:
                return step
        return 0.0


class VideoReader:
    """The frames of a video, each once; see `Frame` for what a row holds and `FrameSource` for the attributes.

    Args:
        path: The video.

    Raises:
        DataError: It is no video, or not one of its frames decodes.
    """

    def __init__(self, path: Path) -> None:
        from av.video.reformatter import VideoReformatter

        self.path = path
        self.messages: list[str] = []
        self.truncated = False
        self._decoder = PacketDecoder(path)
        # kept for all frames: a new one costs as much as decoding
        self._converter = VideoReformatter()
        self._rows = iter(self._decoder)
        ahead: list[Decoded] = []
        for row in self._rows:
            ahead.append(row)
            if row.picture is not None:
                break
        if not ahead or ahead[-1].picture is None:
            self.close()
            found = f"{len(ahead)} that do not decode" if ahead else "none"
            raise DataError(path, "frames", found, "export the video again")
        self._start = self._first_stamp(ahead)
        self.info = self._describe(ahead[-1].picture)
        self._rows = chain(ahead, self._rows)

    def __iter__(self) -> Iterator[Frame]:
        seen, size = _Seen(), (self.info.height, self.info.width)
        for index, row in enumerate(self._rows):
            frame = self._frame(index, row)
            shown_s = self._seconds(row.picture.duration or 0) if row.picture else 0.0
            seen.add(frame, shown_s, size)
            yield frame
        self._conclude(seen)

    def _frame(self, index: int, row: Decoded) -> Frame:
        time_s = None if row.stamp is None else self._seconds(row.stamp - self._start)
        image = None if row.picture is None or row.picture.is_corrupt else self._image(row.picture)
        if image is None:
            return Frame(index, time_s, None, "unreadable")
        if time_s is None:
            return Frame(index, None, image, "no_time")
        same = image.shape[:2] == (self.info.height, self.info.width)
        return Frame(index, time_s, image, "ok" if same else "resized")

    def _image(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """Return the picture as it is to be shown: RGB, without transparency, turned once."""
        converted = self._converter.reformat(picture, format="rgb24", threads=1).to_ndarray()
        image = np.ascontiguousarray(converted, np.uint8)  # without the padding of FFmpeg's rows
        return orientation(picture).apply(image)

    def _seconds(self, stamp: int) -> float:
        return float(stamp * (self._decoder.stream.time_base or Fraction(0)))

    def _first_stamp(self, ahead: list[Decoded]) -> int:
        """Return the stream's start; where the file states none that can be trusted, the first stamp there is."""
        stated = None if self._decoder.order else self._decoder.stream.start_time
        return stated if stated is not None else next((row.stamp for row in ahead if row.stamp is not None), 0)

    def _describe(self, picture: VideoFrame) -> VideoInfo:
        container, stream = self._decoder.container, self._decoder.stream
        shown = orientation(picture)
        turn = shown.turn
        width, height = (picture.height, picture.width) if turn % 180 else (picture.width, picture.height)
        rate = stream.average_rate or stream.guessed_rate
        if shown.asked % 90:
            self.messages.append(f"frames are to be turned by {shown.asked} degrees, they are by {turn}")
        if stream.sample_aspect_ratio not in (None, 0, 1):
            self.messages.append(f"pixels are {stream.sample_aspect_ratio} as wide as high; coordinates are in pixels")
        return VideoInfo(
            width=width,
            height=height,
            rotation_degrees=turn,
            codec=stream.codec_context.name,
            average_fps=float(rate) if rate else None,
            frames_stated=stated_frames(container, stream),
            has_sound=bool(container.streams.audio),
            start_s=self._seconds(self._start),
        )

    def _conclude(self, seen: _Seen) -> None:
        """Say what was met on the way, and whether the file holds less than it states."""
        decoder, rows = self._decoder, sum(seen.counts.values())
        bare = not decoder.container.format.name.startswith(_ACCOUNTED)
        long_step = _LONG_STEP if decoder.damaged else _VERY_LONG_STEP if bare else math.inf
        self.messages += [*decoder.messages, *decoder.notes, *seen.messages(self.info, long_step)]
        short = cut_short(self.path, decoder, seen.ends_s)
        stated = stated_frames(decoder.container, decoder.stream)
        if short:
            self.messages.append(short)
        elif decoder.stream.frames and stated != rows:
            self.messages.append(f"the file states {stated} frames, {rows} were found")
        self.truncated = bool(decoder.messages or short)
        lost = decoder.holes.missing if decoder.holes else 0
        if lost:  # a header's count need not fit what the bytes tell
            self.info = replace(self.info, frames_stated=rows + lost)

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_video(path: Path) -> VideoReader:
    """Open a video to read its frames in order.

    Raises:
        DataError: It is no video, or not one of its frames decodes.
    """
    return VideoReader(path)
