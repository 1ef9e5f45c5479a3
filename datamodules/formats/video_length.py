"""How long a video file says that it is, and whether it ends before that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from datamodules.formats.video_packets import PacketDecoder
    from datamodules.formats.video_stamps import AviOrder

_SLACK_FRAMES = 3  # a stated duration is rounded, and may count the time before the first frame
_RIFF_HEADER = 8  # bytes: RIFF and the size of what follows


def stated_frames(container: InputContainer, stream: VideoStream) -> int | None:
    """Return how many frames the file states or suggests: a guess, as headers are often wrong."""
    rate = stream.average_rate or stream.guessed_rate
    duration = stated_duration(container, stream)
    return (
        _shown_samples(container, stream)
        or stream.frames
        or (round(duration * float(rate)) if duration and rate else None)
    )


def _shown_samples(container: InputContainer, stream: VideoStream) -> int:
    """Return how many samples an MP4 shows; a trimmed one holds more. 0 where the file is another or in fragments."""
    if not container.format.name.startswith("mov") or not stream.frames:
        return 0
    return sum(not entry.is_discard for entry in stream.index_entries)


def stated_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the length in s that the file states for its video, if it does; that of its sound may be another.

    It is counted from the video's start; what Matroska states counts from 0, and is made less by the start.
    """
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    begins = stream.start_time * stream.time_base if stream.start_time and stream.time_base else 0
    before = float(begins) if container.format.name.startswith("matroska") else 0.0
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d*)?)", stream.metadata.get("DURATION", ""))  # of Matroska
    if tag:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) - before
    if len(container.streams) > 1 or not container.duration:
        return None
    return container.duration / 1e6 - before  # in microseconds


def cut_short(path: Path, decoder: PacketDecoder, ends_s: float) -> str | None:
    """Return in what way a file ends before it should, None where nothing tells that it does.

    A count of frames is trusted in MP4, where it is that of the index, and in AVI only where there is no index. AVI
    tells by its size in bytes too and Matroska by its duration; a transport stream states nothing.

    Args:
        path: The file.
        decoder: What has read it to its end.
        ends_s: Until when the last frame is shown, in s from the stream's start.
    """
    container, stream = decoder.container, decoder.stream
    name = container.format.name
    if name.startswith("mov"):
        there, stated = decoder.packets, len(stream.index_entries)
        return f"cut short: {stated} frames are in the index, {there} in the file" if there < stated else None
    if decoder.order is not None:
        return _avi_cut_short(path, decoder.order, stream.frames)
    duration = stated_duration(container, stream) if name.startswith("matroska") else None
    slack_s = _SLACK_FRAMES / float(stream.average_rate or 1)
    if duration and ends_s and duration - ends_s > slack_s:
        return f"cut short: {duration:.2f} s are stated, {ends_s:.2f} s are there"
    return None


def _avi_cut_short(path: Path, order: AviOrder, frames: int) -> str | None:
    with path.open("rb") as file:
        stated = int.from_bytes(file.read(_RIFF_HEADER)[4:], "little") + _RIFF_HEADER
    there = path.stat().st_size
    if there < stated:
        return f"cut short: {stated} bytes are stated, {there} are there"
    if not order.indexed and order.ends < frames:
        return f"cut short: {frames} frames are stated and no index tells of them, {order.ends} are there"
    return None
