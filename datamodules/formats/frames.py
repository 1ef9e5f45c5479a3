"""Frames in order, from a video, a folder of images, or one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError

FrameStatus = Literal["ok", "unreadable", "resized", "no_time"]


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a source before its frames are read.

    Args:
        width: Of the first frame as it is shown, after rotation, in pixels.
        height: Of the same.
        rotation_degrees: By how much the stored frames are turned, counter-clockwise: 0, 90, 180 or 270.
        codec: Its name, "image" for image files.
        average_fps: Frames per second as the file states it, which no time may be computed from.
        frames_stated: How many frames the file states or suggests: a guess, for a progress bar. When all have been
            read and `truncated` is set, what is beyond the rows counts as bad.
        has_sound: Whether sound lies beside the video.
        start_s: The presentation stamp in s that counts as time 0.
    """

    width: int
    height: int
    rotation_degrees: int
    codec: str
    average_fps: float | None
    frames_stated: int | None
    has_sound: bool
    start_s: float = 0.0


@dataclass(frozen=True)
class Frame:
    """One row of a video, be its picture readable or not.

    Args:
        index: 0, 1, 2 and so on.
        time_s: From the presentation stamp, relative to the stream's start; None where there is no stamp.
        image: RGB [H, W, 3], uint8, None where it is unreadable.
        status: "ok"; "unreadable"; "resized", where the size is not that of the first frame; "no_time", where a
            readable frame of a video has no presentation stamp.
        name: The file's name, for an image file.
    """

    index: int
    time_s: float | None
    image: NDArray[np.uint8] | None
    status: FrameStatus
    name: str | None = None


class FrameSource(Protocol):
    """Frames to be read once, from the first to the last.

    Attributes:
        path: The file or folder.
        info: What is known before reading.
        messages: What is to be reported, complete when all frames have been read.
        truncated: Whether frames are missing from the rows, as the file ends before what it states or as a part of it
            cannot be read; known when all frames have been read.
    """

    path: Path
    info: VideoInfo
    messages: list[str]
    truncated: bool

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_frames(path: Path) -> FrameSource:
    """Open a video, a folder of images, or one image.

    Raises:
        DataError: The path does not exist, holds no frame, or is of no known kind.
    """
    from datamodules.formats.image_folder import ImageReader, is_image_name
    from datamodules.formats.video import open_video

    if not path.exists():
        raise DataError(path, "a video, an image, or a folder of images", "nothing", "check the spelling")
    return ImageReader(path) if path.is_dir() or is_image_name(path.name) else open_video(path)
