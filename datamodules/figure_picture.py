"""One rendered person in its surroundings, with the joints' places known below a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.figure_body import draw_build, pose_body
from datamodules.figure_canvas import SCALE, Array, Canvas
from datamodules.figure_look import draw_look
from datamodules.figure_painting import paint_body
from datamodules.figure_poses import draw_pose
from datamodules.figure_scene import draw_background, draw_camera, paint_occluders
from datamodules.figure_visibility import joint_visibility
from datamodules.keypoints import Box


@dataclass(frozen=True)
class Picture:
    """One rendered person.

    Attributes:
        image: RGB [H, W, 3].
        joints: x and y in pixels [14, 2]; a pixel's centre has integer coordinates.
        visibility: 2 where a joint shows, 1 where something hides it, 0 outside of the image [14].
        box: Of the person's pixels within the image.
        area_px: Number of them.
    """

    image: NDArray[np.uint8]
    joints: Array
    visibility: NDArray[np.uint8]
    box: Box
    area_px: float


def make_picture(key: Sequence[int], size: tuple[int, int]) -> Picture:
    """Render one person, who follows from the numbers of a key, in an image of width and height in pixels."""
    rng = np.random.default_rng([*key])
    canvas = draw_background(rng, size)
    stature = float(rng.uniform(0.62, 0.86)) * min(size)
    body = pose_body(draw_build(rng), draw_pose(rng))
    look = draw_look(rng, stature)
    joints = paint_body(canvas, body, look, _draw_place(rng, stature * body.joints[:, :2], size), stature)
    box, area = _extent(canvas)
    paint_occluders(canvas, rng, joints, stature)
    visibility = joint_visibility(canvas, body, joints)
    return Picture(draw_camera(rng).photograph(canvas, rng), joints, visibility, box, area)


def _draw_place(rng: np.random.Generator, joints: Array, size: tuple[int, int]) -> Array:
    """Draw where the middle of the hips lies, so that the joints [14, 2] are in the image, or few of them are not."""
    low, high = joints.min(axis=0), joints.max(axis=0)
    margin = 0.05 * min(size) if rng.random() < 0.96 else -0.2 * (high - low)
    room = np.array(size) - 1 - (high - low) - 2 * margin
    place: Array = margin - low + room * rng.uniform(0, 1, 2)
    return np.where(room > 0, place, (np.array(size) - 1 - high - low) / 2)


def _extent(canvas: Canvas) -> tuple[Box, float]:
    """Return the box and the area of what is painted, in pixels."""
    painted = canvas.owner > 0
    rows, columns = (np.flatnonzero(painted.any(axis=axis)) / SCALE for axis in (1, 0))
    x, y = columns[0] - 0.5, rows[0] - 0.5
    box = (x, y, columns[-1] + 1 / SCALE - 0.5 - x, rows[-1] + 1 / SCALE - 0.5 - y)
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(painted.sum()) / SCALE**2
