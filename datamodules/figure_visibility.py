"""Which joints of a painted body show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.figure_body import ARM_PARTS, ARMS, HEAD_TOP, LEG_PARTS, LEGS, NECK, Body, Part
from datamodules.figure_canvas import Array, Canvas
from datamodules.keypoints import OCCLUDED, UNLABELLED, VISIBLE

_FACING = 0.7  # sine of the turn from which the far shoulder and hip are hidden by the trunk
# The parts that meet in a joint: it shows where one of them is seen.
_MEETING: dict[int, set[int]] = {
    joint: {part + side for part in parts[max(place - 1, 0) : place + 1]}
    for limbs, parts in ((ARMS, ARM_PARTS), (LEGS, LEG_PARTS))
    for side, limb in enumerate(limbs)
    for place, joint in enumerate(limb)
}
_MEETING |= {NECK: {Part.NECK, Part.TRUNK}, HEAD_TOP: {Part.HEAD}}
_OPPOSITE = {8: 9, 9: 8, 2: 3, 3: 2}  # the roots of the limbs, in the trunk


def joint_visibility(canvas: Canvas, body: Body, joints: Array) -> NDArray[np.uint8]:
    """Return for each joint [14] whether it shows, is hidden, or lies outside of the image.

    Args:
        canvas: With the body and what stands in front of it.
        body: The body.
        joints: Where `paint_body` has put its joints, in pixels [14, 2].
    """
    return np.array([_see(canvas, body, joint, joints) for joint in range(len(joints))], dtype=np.uint8)


def _see(canvas: Canvas, body: Body, joint: int, joints: Array) -> int:
    if canvas.owner_at(joints[joint]) is None:
        return UNLABELLED
    parts = _MEETING[joint]
    point = joints[joint]
    if joint == HEAD_TOP:  # it lies on the outline: ask a little inside
        point = point + 0.15 * (joints[NECK] - point)
    if joint in _OPPOSITE:
        apart = body.joints[joint] - body.joints[_OPPOSITE[joint]]
        if apart[2] < _FACING * np.linalg.norm(apart):
            parts = parts | {Part.TRUNK, Part.PELVIS}
    return VISIBLE if canvas.owner_at(point) in parts else OCCLUDED
