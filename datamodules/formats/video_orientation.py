"""Turning and mirroring frames as a video asks for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame

_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


class Orientation(NamedTuple):
    """How a stored picture is to be shown.

    Args:
        mirrored: Whether its left and right are exchanged first.
        turn: By how much it is then turned counter-clockwise, in quarter turns of 90 degrees.
        asked: By how much it should be turned, in whole degrees.
    """

    mirrored: bool = False
    turn: int = 0
    asked: int = 0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the image [H, W, 3] as it is to be shown."""
        if self.mirrored:
            image = np.asarray(cv2.flip(image, 1), np.uint8)
        return np.asarray(cv2.rotate(image, _TURNS[self.turn]), np.uint8) if self.turn else image


def orientation(picture: VideoFrame) -> Orientation:
    """Read a picture's display matrix, whose first two rows hold where the x and the y axis point, y downwards."""
    from av.sidedata.sidedata import Type

    try:
        data = next((side for side in picture.side_data if side.type == Type.DISPLAYMATRIX), None)
    except ValueError:  # PyAV refuses all side data where it has no name for one; the angle it tells all the same
        return _turned(picture.rotation % 360, mirrored=False)
    if data is None:
        return Orientation()
    matrix = np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2].astype(np.float64)
    mirrored = bool(np.linalg.det(matrix) < 0)
    x, y = -matrix[0] if mirrored else matrix[0]
    return _turned(round(-math.degrees(math.atan2(y, x))) % 360, mirrored=mirrored)


def _turned(asked: int, *, mirrored: bool) -> Orientation:
    return Orientation(mirrored, round(asked / 90) % 4 * 90, asked)
