"""Reading a video from its first frame to its last.

Frames are decoded in order and never sought, as seeking lands on other frames than were asked for. A frame's time is
its presentation stamp less the stream's start; it is never computed from a frame rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.frames import Frame, FrameStatus, VideoInfo
from datamodules.formats.video_length import cut_short, stated_frames
from datamodules.formats.video_packets import Decoded, PacketDecoder

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["Frame", "VideoInfo", "VideoReader", "open_video"]

_LONG_STEP = 1.8  # times the mean step: in a damaged file, frames are lost there
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


class _Seen:
    """What the rows so far have in common.

    Attributes:
        counts: How many rows have each status.
        ends_s: Until when the last frame is shown.
    """

    def __init__(self) -> None:
        self.counts: Counter[FrameStatus] = Counter()
        self.ends_s = 0.0
        self._times: tuple[float, float] | None = None  # of the first and of the latest
        self._backwards = 0
        self._longest = (0.0, 0.0)  # step in s, and when it begins

    def add(self, frame: Frame, shown_s: float) -> None:
        self.counts[frame.status] += 1
        if frame.time_s is None:
            return
        first, latest = self._times or (frame.time_s, None)
        if latest is not None:
            self._backwards += frame.time_s <= latest
            self._longest = max(self._longest, (frame.time_s - latest, latest))
        self._times = (first, frame.time_s)
        self.ends_s = max(self.ends_s, frame.time_s + shown_s)

    def messages(self, info: VideoInfo, *, damaged: bool) -> list[str]:
        rows = sum(self.counts.values())
        meanings: dict[FrameStatus, str] = {
            "unreadable": "frames are unreadable",
            "resized": f"frames are not {info.width} x {info.height} as the first one",
            "no_time": "frames have no presentation stamp, and so no time",
        }
        found = [f"{self.counts[s]} of {rows} {meaning}" for s, meaning in meanings.items() if self.counts[s]]
        if self._backwards:
            found.append(f"{self._backwards} presentation stamps are not after the one before")
        mean = (self._times[1] - self._times[0]) / max(1, rows - 1) if self._times else 0.0
        step, begin = self._longest
        if damaged and step > _LONG_STEP * mean > 0:
            found.append(f"frames may be lost after {begin:.3f} s, where the next comes {step:.3f} s later")
        return found


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
        seen = _Seen()
        for index, row in enumerate(self._rows):
            frame = self._frame(index, row)
            shown_s = self._seconds(row.picture.duration or 0) if row.picture else 0.0
            seen.add(frame, shown_s)
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
        turn = _rotation(picture)
        return np.asarray(cv2.rotate(image, _TURNS[turn]), np.uint8) if turn else image

    def _seconds(self, stamp: int) -> float:
        return float(stamp * (self._decoder.stream.time_base or Fraction(0)))

    def _first_stamp(self, ahead: list[Decoded]) -> int:
        """Return the stream's start; where the file states none, the first stamp there is."""
        stated = self._decoder.stream.start_time
        return stated if stated is not None else next((row.stamp for row in ahead if row.stamp is not None), 0)

    def _describe(self, picture: VideoFrame) -> VideoInfo:
        container, stream = self._decoder.container, self._decoder.stream
        turn = _rotation(picture)
        width, height = (picture.height, picture.width) if turn % 180 else (picture.width, picture.height)
        rate = stream.average_rate or stream.guessed_rate
        if picture.rotation % 90:
            self.messages.append(f"frames are to be turned by {picture.rotation} degrees, they are by {turn}")
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
        """Say what was met on the way, and whether the file ends before what it states."""
        container, stream, rows = self._decoder.container, self._decoder.stream, sum(seen.counts.values())
        self.messages += [*self._decoder.messages, *seen.messages(self.info, damaged=self._decoder.damaged)]
        missing = cut_short(self.path, container, stream, rows, seen.ends_s)
        if missing:
            self.messages.append(missing)
        elif stream.frames and stream.frames != rows:
            self.messages.append(f"the file states {stream.frames} frames, {rows} were found")
        self.truncated = bool(self._decoder.messages or missing)

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


def _rotation(picture: VideoFrame) -> int:
    """Return by how much a picture is to be turned counter-clockwise, in quarter turns of 90 degrees."""
    return int(round(picture.rotation / 90) % 4 * 90)
