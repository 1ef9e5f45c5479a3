"""Where the subject is on each frame: the whole frame, a fixed box, a file of boxes, or where it was last."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datamodules.cropping import PosePreprocessing, whole_image
from datamodules.keypoints import Box

RegionKind = Literal["frame", "box", "file", "follow"]

_EDGE = 0.5  # px: a pixel reaches so far about its centre
_FEWEST = 2  # confident joints that make a box; from there on at least half of all
_SLOWEST_SHRINK = 0.9  # of the last box's side from one frame to the next, so that a few lost joints do not zoom in
_MARGIN = 1.25  # about the followed joints, where the model itself adds none


def scaled(box: Box, factor: float) -> Box:
    """Return a box about the same centre, larger by a factor."""
    x, y, width, height = box
    return (x - width * (factor - 1) / 2, y - height * (factor - 1) / 2, width * factor, height * factor)


def meets(box: Box, width: int, height: int) -> bool:
    """Tell whether a box and a frame of this size have any pixels in common."""
    x, y, across, down = box
    return x < width - _EDGE and y < height - _EDGE and x + across > -_EDGE and y + down > -_EDGE


def inside(points: NDArray[np.floating], size: ArrayLike) -> NDArray[np.bool_]:
    """Tell which points [..., 2] lie on a frame of width and height `size` [..., 2], borders included; NaN does not."""
    beyond = np.maximum(-_EDGE - points, points - (np.asarray(size) - _EDGE))
    return np.asarray(beyond.max(axis=-1) <= 0)


class Region(ABC):
    """The subject's box, frame by frame from the first on.

    Attributes:
        needs_joints: Whether a frame's box depends on the joints of the frame before.
    """

    needs_joints = False

    @abstractmethod
    def box(self, index: int, width: int, height: int) -> Box | None:
        """Return the subject's box on a frame of this size, None where the subject is not to be looked for."""

    def update(self, points: NDArray[np.floating], confidence: NDArray[np.floating], width: int, height: int) -> None:  # noqa: B027 -- most have no use for it
        """Take note of the joints [K, 2] found on the last frame and their confidence [K]."""

    def messages(self) -> list[str]:
        """Return what is to be reported at the end."""
        return []


class FrameRegion(Region):
    """The whole frame, shown to its borders.

    Args:
        preprocessing: Of the model; the margin that it adds to boxes is not added to a frame.
    """

    def __init__(self, preprocessing: PosePreprocessing) -> None:
        self._factor = 1 / preprocessing.padding if preprocessing.subject == "box" else 1.0

    def box(self, index: int, width: int, height: int) -> Box:
        """Return the frame's box."""
        return scaled(whole_image(width, height), self._factor)


class FixedRegion(Region):
    """The same box on every frame."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._outside = 0

    def box(self, index: int, width: int, height: int) -> Box | None:
        """Return the box, None where it lies wholly outside of the frame."""
        if meets(self._box, width, height):
            return self._box
        self._outside += 1
        return None

    def messages(self) -> list[str]:
        """Say how many frames the box does not meet."""
        return [_outside(self._outside)] if self._outside else []


class FileRegion(Region):
    """A box for each frame; where a frame has none, the last one before it holds, be it on the frame or not.

    Args:
        boxes: By frame number.
    """

    def __init__(self, boxes: Mapping[int, Box]) -> None:
        self._boxes = boxes
        self._last: Box | None = None
        self._reused = self._absent = self._outside = 0
        self._seen = -1

    def box(self, index: int, width: int, height: int) -> Box | None:
        """Return the frame's box, or the last one before; None before the first and for one outside of the frame."""
        own = self._boxes.get(index)
        self._reused += own is None and self._last is not None
        self._absent += own is None and self._last is None
        self._last = own or self._last
        self._seen = index
        if self._last is None or meets(self._last, width, height):
            return self._last
        self._outside += 1
        return None

    def messages(self) -> list[str]:
        """Say how many frames had no box of their own, and which boxes no frame."""
        beyond = sum(index > self._seen for index in self._boxes)
        counted = [
            (self._reused, "frames have no box of their own, the last one before was taken"),
            (self._absent, "frames come before the first box, their rows are empty"),
            (beyond, "boxes are for frames beyond the last one"),
        ]
        found = [f"{count} {words}" for count, words in counted if count]
        return [*found, _outside(self._outside)] if self._outside else found


def _outside(frames: int) -> str:
    return f"{frames} frames have a box that lies wholly outside of them, their rows are empty"


class FollowRegion(Region):
    """The box of the confident joints of the frame before; the whole frame where too few were found.

    Args:
        preprocessing: Of the model.
        min_confidence: From which confidence on a joint counts.
    """

    needs_joints = True

    def __init__(self, preprocessing: PosePreprocessing, min_confidence: float) -> None:
        self._whole = FrameRegion(preprocessing)
        self._margin = 1.0 if preprocessing.subject == "box" else _MARGIN
        self._least = min_confidence
        self._box: Box | None = None
        self._lost = self._frames = 0

    def box(self, index: int, width: int, height: int) -> Box:
        """Return the last joints' box, or the whole frame."""
        self._frames += 1
        if self._box is None:
            self._lost += self._frames > 1
            return self._whole.box(index, width, height)
        return self._box

    def update(self, points: NDArray[np.floating], confidence: NDArray[np.floating], width: int, height: int) -> None:
        """Move the box to the confident joints, no faster than it may shrink; forget it where they are too few."""
        found = points[inside(points, (width, height)) & (confidence >= self._least)]
        last = self._box
        self._box = None
        if len(found) < max(_FEWEST, math.ceil(len(points) / 2)):
            return
        low, high = found.min(axis=0), found.max(axis=0)
        sides = self._margin * np.maximum(high - low, 1.0)
        if last is not None:
            sides = np.maximum(sides, _SLOWEST_SHRINK * np.asarray(last[2:]))
        corner = (low + high - sides) / 2
        self._box = (float(corner[0]), float(corner[1]), float(sides[0]), float(sides[1]))

    def messages(self) -> list[str]:
        """Say on how many frames the subject had to be looked for anew."""
        return [f"{self._lost} frames after the first were searched as a whole"] if self._lost else []
