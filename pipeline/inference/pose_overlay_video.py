"""A video with its poses drawn in, made from the array that goes into the table."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.frames import Frame, VideoInfo
from datamodules.formats.video_writer import VideoWriter
from datamodules.keypoints import Skeleton
from pipeline.inference.pose_overlay import draw_pose, empty_picture


class OverlayWriter:
    """Write frames with their poses at the times of the source.

    A frame that cannot be read is a dark one that says so. A frame of another size than the first is cut or filled
    up at its right and lower side, so that coordinates stay as they are.

    Args:
        path: The video, .mp4; its folder exists.
        info: Of the source.
        skeleton: The joints.
        trail: How many earlier positions of each joint are shown.
    """

    def __init__(self, path: Path, info: VideoInfo, skeleton: Skeleton, trail: int = 10) -> None:
        if trail < 0:
            raise ValueError(f"trail: expected 0 or more positions, found {trail}")
        self._writer = VideoWriter(path, info.width, info.height, info.average_fps)
        self._size = (info.width, info.height)
        self._skeleton = skeleton
        self._trail: deque[NDArray[np.float64]] = deque(maxlen=trail)

    def draw(self, frame: Frame, points: NDArray[np.floating], confidence: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return the picture of the next frame with its pose.

        Args:
            frame: The one that follows the last one drawn.
            points: In pixels [K, 2], as they go into the table.
            confidence: [K].
        """
        width, height = self._size
        if frame.image is None:
            self._trail.clear()
            return empty_picture(width, height, f"frame {frame.index} unreadable")
        drawn = draw_pose(frame.image, points, confidence, self._skeleton, list(self._trail))
        self._trail.append(np.array(points, np.float64))
        return _fitted(drawn, width, height)

    def write(self, picture: NDArray[np.uint8], time_s: float | None) -> None:
        """Append what `draw` has returned; another thread than its may do so."""
        self._writer.write(picture, time_s)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, traceback)


def _fitted(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if image.shape[:2] == (height, width):
        return image
    fitted = np.zeros((height, width, 3), np.uint8)
    part = image[:height, :width]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted
