"""A video of one rendered person who walks to and fro, waves and passes behind a post, with every frame's joints."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from datamodules.figure_body import JOINTS, Body, Limb, Pose, draw_build, pose_body
from datamodules.figure_canvas import OBJECT, Array, Canvas, Surface, draw_colour
from datamodules.figure_look import draw_look
from datamodules.figure_painting import paint_body
from datamodules.figure_scene import draw_background, draw_camera
from datamodules.figure_visibility import joint_visibility

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

SIZE, RATE, FRAMES = (320, 240), 25, 250  # width and height in pixels, frames per second
POST_X = 230.0  # of the post that the person passes behind
_STATURE_PX = 150.0
_PERIOD_S, _STRIDE_S = 10.0, 1.2  # of the way to and fro, and of two steps
_WAVING_S = (2.8, 7.2)


def write_video(folder: Path, key: Sequence[int], frames: int = FRAMES) -> None:
    """Write video.mp4 and video_joints.csv, equal to the byte for equal keys and the same encoder.

    The table's columns are frame, time_s, joint, x, y and visible: 2 where the joint shows, 1 where something hides it,
    0 outside of the image; x and y are in pixels and hold there too.

    Args:
        folder: An existing folder.
        key: Numbers from which the person and the scene follow.
        frames: Number of frames.
    """
    import av

    film = Film(key)
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    log.info("the figures' video is encoded by %s", codec)
    with (
        av.open(str(folder / "video.mp4"), "w") as container,
        (folder / "video_joints.csv").open("w", newline="", encoding="utf-8") as file,
    ):
        stream = _add_stream(container, codec)
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("frame", "time_s", "joint", "x", "y", "visible"))
        for number in range(frames):
            image, joints, visibility = film.render(number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            for name, (x, y), seen in zip(JOINTS, joints.tolist(), visibility.tolist(), strict=True):
                table.writerow((number, f"{number / RATE:.3f}", name, f"{x:.3f}", f"{y:.3f}", seen))
        container.mux(stream.encode(None))


def _add_stream(container: OutputContainer, codec: str) -> VideoStream:
    # x264's macroblock tree reads memory that nobody has written: with it, equal frames give differing bytes.
    x264, mpeg4 = {"crf": "16", "x264-params": "mbtree=0"}, {"b": "8M", "qmin": "2", "qmax": "3"}
    options = x264 if codec == "libx264" else mpeg4
    stream = cast("VideoStream", container.add_stream(codec, rate=RATE, options=options))
    stream.width, stream.height = SIZE
    stream.pix_fmt = "yuv420p"
    stream.codec_context.thread_count = 1  # bytes depend on it
    return stream


class Film:
    """A person who moves through a scene.

    Args:
        key: Numbers from which all follows.
    """

    def __init__(self, key: Sequence[int]) -> None:
        rng = np.random.default_rng([*key])
        self._key = (*key,)
        self._background = draw_background(rng, SIZE)
        self._build, self._look = draw_build(rng), draw_look(rng, _STATURE_PX)
        self._camera = replace(draw_camera(rng), noise=2.0)
        self._post = Surface(draw_colour(rng), draw_colour(rng), "bands", 24.0)

    def render(self, number: int) -> tuple[NDArray[np.uint8], Array, NDArray[np.uint8]]:
        """Return a frame [H, W, 3], its joints in pixels [14, 2] and their visibility [14]."""
        time_s = number / RATE
        body = pose_body(self._build, walking_pose(time_s))
        canvas = Canvas(self._background.fine.copy(), self._background.light)
        joints = paint_body(canvas, body, self._look, _place(body, time_s), _STATURE_PX)
        foot, top = np.array([POST_X, SIZE[1]]), np.array([POST_X, 0.2 * SIZE[1]])
        canvas.capsule(foot, top, (9.0, 9.0), self._post, OBJECT)
        rng = np.random.default_rng([*self._key, number])
        return self._camera.photograph(canvas, rng), joints, joint_visibility(canvas, body, joints)


def walking_pose(time_s: float) -> Pose:
    """Return the pose at a time: walking in the direction of its way, the right hand waving in between."""
    step = 2 * np.pi * time_s / _STRIDE_S
    stride = float(np.sin(step))
    waving = float(np.clip(min(time_s - _WAVING_S[0], _WAVING_S[1] - time_s) / 0.9, 0, 1))
    waving = waving * waving * (3 - 2 * waving)  # begins and ends gently
    hanging, raised = np.array([9, -24 * stride, 12, 22]), np.array([85, 10, -80, 75 + 35 * np.sin(1.7 * step)])
    right = (1 - waving) * hanging + waving * raised
    return Pose(
        body=(-38 * float(np.sin(2 * np.pi * time_s / _PERIOD_S)), 3.0, 2 * stride),
        spine=(-8 * stride, 2.0, -2 * stride),
        head=(6 * float(np.sin(0.31 * step)), 3 * float(np.sin(0.7 * step)), 0.0),
        arms=(Limb(*(float(angle) for angle in right)), Limb(9, 24 * stride, 12, 22)),
        legs=(_leg(step), _leg(step + np.pi)),
    )


def _leg(step: float) -> Limb:
    """Return a leg's angles; the knee bends while the leg swings forward."""
    forward = float(np.cos(step))
    return Limb(3.0, 22 * float(np.sin(step)) + 4, -4.0, 8 + 42 * max(forward, 0.0) ** 2)


def _place(body: Body, time_s: float) -> Array:
    """Return where the hips' middle lies: the lower foot stands on the ground."""
    x = SIZE[0] * (0.5 - 0.45 * np.cos(2 * np.pi * (time_s / _PERIOD_S)))
    ankle = _STATURE_PX * body.joints[[0, 5], 1].max()
    return np.array([x, 0.9 * SIZE[1] - ankle])
