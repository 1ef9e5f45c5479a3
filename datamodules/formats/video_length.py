"""How long a video file says that it is, and whether it ends before that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SLACK_FRAMES = 3  # a stated duration is rounded, and may count the time before the first frame
_RIFF_HEADER = 8  # bytes: RIFF and the size of what follows


def stated_frames(container: InputContainer, stream: VideoStream) -> int | None:
    """Return how many frames the file states or suggests: a guess, as headers are often wrong."""
    rate = stream.average_rate or stream.guessed_rate
    duration = stated_duration(container, stream)
    return stream.frames or (round(duration * float(rate)) if duration and rate else None)


def stated_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the length in s that the file states for its video, if it does; that of its sound may be another."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d*)?)", stream.metadata.get("DURATION", ""))  # of Matroska
    if tag:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    if len(container.streams) > 1 or not container.duration:
        return None
    return container.duration / 1e6  # in microseconds


def cut_short(path: Path, container: InputContainer, stream: VideoStream, rows: int, ends_s: float) -> str | None:
    """Return in what way a file ends before it should, None where nothing tells that it does.

    A count of frames is trusted in MP4 alone, where it is that of the index. AVI tells by its size in bytes and
    Matroska by its duration; a transport stream states nothing.

    Args:
        path: The file.
        container: The same, open.
        stream: Its video.
        rows: The frames that were found.
        ends_s: Until when the last one is shown, in s from the stream's start.
    """
    name = container.format.name
    if name.startswith("mov") and rows < stream.frames:
        return f"cut short: {stream.frames} frames are in the index, {rows} in the file"
    if name == "avi":
        with path.open("rb") as file:
            stated = int.from_bytes(file.read(_RIFF_HEADER)[4:], "little") + _RIFF_HEADER
        there = path.stat().st_size
        return f"cut short: {stated} bytes are stated, {there} are there" if there < stated else None
    duration = stated_duration(container, stream) if name.startswith("matroska") else None
    slack_s = _SLACK_FRAMES / float(stream.average_rate or 1)
    if duration and ends_s and duration - ends_s > slack_s:
        return f"cut short: {duration:.2f} s are stated, {ends_s:.2f} s are there"
    return None
