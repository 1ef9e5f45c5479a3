"""An articulated person: body proportions and joint angles to joints in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Range = tuple[float, float]

JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip
EDGES = (
    (0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (12, 13), (2, 3), (8, 9), (8, 12), (9, 12),
)  # fmt: skip
ARMS, LEGS = ((8, 7, 6), (9, 10, 11)), ((2, 1, 0), (3, 4, 5))  # right and left, from the trunk outwards
NECK, HEAD_TOP = 12, 13


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
    """Joint angles of a whole body in degrees; (about the vertical, forward, to the person's left) where there are three.

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


# Ranges in degrees, spread, swing, twist and bend, for arms and legs; right and left are drawn apart.
_ARMS: dict[str, tuple[Range, Range, Range, Range]] = {
    "hanging": ((4, 25), (-20, 25), (-20, 40), (0, 40)),
    "walking": ((4, 15), (-40, 45), (0, 30), (5, 60)),
    "on hips": ((35, 55), (-25, 5), (60, 90), (75, 110)),
    "sideways": ((60, 110), (-15, 30), (-30, 30), (0, 80)),
    "raised": ((125, 172), (-10, 25), (-30, 30), (0, 70)),
    "waving": ((60, 100), (-5, 20), (-90, -60), (50, 130)),
    "forward": ((0, 35), (40, 110), (-20, 60), (10, 120)),
}
_LEGS: dict[str, tuple[Range, Range, Range, Range]] = {
    "standing": ((0, 12), (-8, 12), (-20, 10), (0, 12)),
    "walking": ((0, 10), (-25, 35), (-15, 10), (0, 55)),
    "astride": ((12, 35), (-10, 25), (-35, 5), (0, 40)),
    "raised": ((0, 30), (30, 90), (-20, 10), (20, 115)),
    "kicked back": ((0, 15), (-20, 15), (-15, 10), (40, 110)),
}
_SHARE = {"standing": 0.4, "walking": 0.25, "astride": 0.2, "raised": 0.09, "kicked back": 0.06}


def draw_build(rng: np.random.Generator) -> Build:
    """Draw the proportions of one person, each some 5 % about the mean."""
    mean = Build()
    return Build(
        *(
            value * float(np.clip(rng.normal(1, 0.13 if name == "stout" else 0.05), 0.75, 1.4))
            for name, value in vars(mean).items()
        )
    )


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a pose: seen from the front or the back, standing, walking, leaning or jumping, arms anywhere in reach."""
    back = 180.0 * (rng.random() < 0.4)
    lean = 22 if rng.random() < 0.25 else 7
    body = (back + _normal(rng, 28, 60), _normal(rng, 8, 20), _normal(rng, lean, 45))
    kinds, shares = list(_LEGS), [_SHARE[kind] for kind in _LEGS]
    legs = [str(kind) for kind in rng.choice(kinds, 2, p=shares)]
    arms = [str(kind) for kind in rng.choice(list(_ARMS), 2)]
    if rng.random() < 0.35:  # both sides do the same, as in a jumping jack
        arms[1], legs[1] = arms[0], legs[0]
    return Pose(
        body=body,
        spine=(_normal(rng, 10, 25), _normal(rng, 10, 30), _normal(rng, 7, 20)),
        head=(_normal(rng, 18, 45), _normal(rng, 8, 25), _normal(rng, 8, 20)),
        arms=(_draw_limb(rng, _ARMS[arms[0]]), _draw_limb(rng, _ARMS[arms[1]])),
        legs=(_draw_limb(rng, _LEGS[legs[0]]), _draw_limb(rng, _LEGS[legs[1]])),
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


def _normal(rng: np.random.Generator, deviation: float, limit: float) -> float:
    return float(np.clip(rng.normal(0, deviation), -limit, limit))


def _draw_limb(rng: np.random.Generator, ranges: tuple[Range, Range, Range, Range]) -> Limb:
    return Limb(*(float(rng.uniform(*limits)) for limits in ranges))


def _trunk_turn(angles: tuple[float, float, float]) -> Array:
    vertical, forward, left = angles
    return _about_z(left) @ _about_y(vertical) @ _about_x(forward)


def _limb_turn(limb: Limb, sign: int) -> Array:
    return _about_z(-sign * limb.spread) @ _about_x(-limb.swing) @ _about_y(-sign * limb.twist)


def _about_x(degrees: float) -> Array:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _about_y(degrees: float) -> Array:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _about_z(degrees: float) -> Array:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
