"""An articulated person: body proportions and joint angles to joints in space."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip
EDGES = (
    (0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (12, 13), (2, 3), (8, 9), (8, 12), (9, 12),
)  # fmt: skip
ARMS, LEGS = ((8, 7, 6), (9, 10, 11)), ((2, 1, 0), (3, 4, 5))  # right and left, from the trunk outwards
NECK, HEAD_TOP = 12, 13


class Part(IntEnum):
    """The parts of a body as they are painted; those of the left side follow the right one's."""

    TRUNK = 1
    PELVIS = 2
    NECK = 3
    HEAD = 4
    UPPER_ARM = 5
    FOREARM = 7
    HAND = 9
    THIGH = 11
    SHIN = 13
    FOOT = 15


ARM_PARTS, LEG_PARTS = (Part.UPPER_ARM, Part.FOREARM, Part.HAND), (Part.THIGH, Part.SHIN, Part.FOOT)


@dataclass(frozen=True)
class Limb:
    """Joint angles of an arm or a leg in degrees.

    Attributes:
        spread: Away from the body's middle plane.
        swing: Forward, in front of the body.
        twist: Inward, about the limb's own axis.
        bend: Of the elbow, forward, or of the knee, backward.
    """

    spread: float
    swing: float
    twist: float
    bend: float


@dataclass(frozen=True)
class Pose:
    """Joint angles of a whole body in degrees; where there are three, turned to the right, forward and to the left.

    Attributes:
        body: Of the pelvis against the camera; 0 faces it.
        spine: Of the chest against the pelvis.
        head: Of the head against the chest.
        arms: Right and left.
        legs: Right and left.
    """

    body: tuple[float, float, float]
    spine: tuple[float, float, float]
    head: tuple[float, float, float]
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]


@dataclass(frozen=True)
class Build:
    """Lengths of a body as shares of its stature.

    Adults' means are those of Drillis and Contini 1966, as given in Winter, Biomechanics and Motor Control of Human
    Movement, section 4.1, the widths reduced from the skin to the joints' centres.

    Attributes:
        stout: How many times as thick as the mean.
    """

    shoulders: float = 0.215
    hips: float = 0.12
    trunk: float = 0.285
    neck: float = 0.035
    head: float = 0.155
    upper_arm: float = 0.18
    forearm: float = 0.15
    thigh: float = 0.245
    shin: float = 0.24
    hand: float = 0.055
    foot: float = 0.085
    stout: float = 1.0


@dataclass(frozen=True)
class Body:
    """A posed body, in shares of its stature: x to the image's right, y down, z away from the camera.

    Attributes:
        joints: In the order of JOINTS [14, 3].
        hands: Middle of the right and left palm [2, 3].
        toes: Tip of the right and left foot [2, 3].
        chest: Axes of the chest in columns [3, 3]: the person's left, down, back.
        head: Axes of the head, likewise.
        build: Lengths.
    """

    joints: Array
    hands: Array
    toes: Array
    chest: Array
    head: Array
    build: Build


def draw_build(rng: np.random.Generator) -> Build:
    """Draw the proportions of one person, each some 5 % about the mean."""
    mean = Build()
    return Build(
        *(
            value * float(np.clip(rng.normal(1, 0.13 if name == "stout" else 0.05), 0.75, 1.4))
            for name, value in vars(mean).items()
        )
    )


def pose_body(build: Build, pose: Pose) -> Body:
    """Find the joints of a body in a pose; the middle of the hips lies at the origin."""
    pelvis = _trunk_turn(pose.body)
    chest = pelvis @ _trunk_turn(pose.spine)
    head = chest @ _trunk_turn(pose.head)
    joints, hands, toes = np.zeros((len(JOINTS), 3)), np.zeros((2, 3)), np.zeros((2, 3))
    top = pelvis @ (0, -0.35 * build.trunk, 0) + chest @ (0, -0.65 * build.trunk, 0)
    joints[NECK] = top + chest @ (0, -build.neck, 0)
    joints[HEAD_TOP] = joints[NECK] + head @ (0, -build.head, 0)
    for side, sign in enumerate((-1, 1)):
        root, middle, end = ARMS[side]
        joints[root] = top + chest @ (sign * build.shoulders / 2, 0, 0)
        upper = chest @ _limb_turn(pose.arms[side], sign)
        lower = upper @ _about_x(-pose.arms[side].bend)
        joints[middle] = joints[root] + upper[:, 1] * build.upper_arm
        joints[end] = joints[middle] + lower[:, 1] * build.forearm
        hands[side] = joints[end] + lower[:, 1] * build.hand
        root, middle, end = LEGS[side]
        joints[root] = pelvis @ (sign * build.hips / 2, 0, 0)
        upper = pelvis @ _limb_turn(pose.legs[side], sign)
        lower = upper @ _about_x(pose.legs[side].bend)
        joints[middle] = joints[root] + upper[:, 1] * build.thigh
        joints[end] = joints[middle] + lower[:, 1] * build.shin
        toes[side] = joints[end] + lower @ (sign * 0.2 * build.foot, 0.45 * build.foot, -0.85 * build.foot)
    return Body(joints, hands, toes, chest, head, build)


def _trunk_turn(angles: tuple[float, float, float]) -> Array:
    vertical, forward, left = angles
    return _about_z(left) @ _about_y(vertical) @ _about_x(forward)


def _limb_turn(limb: Limb, sign: int) -> Array:
    return _about_z(-sign * limb.spread) @ _about_x(-limb.swing) @ _about_y(sign * limb.twist)


def _about_x(degrees: float) -> Array:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _about_y(degrees: float) -> Array:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _about_z(degrees: float) -> Array:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
