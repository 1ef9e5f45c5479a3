"""Painting a posed body part by part from back to front, and seeing which of its joints show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.figure_body import ARMS, HEAD_TOP, LEGS, NECK, Body
from datamodules.figure_canvas import Array, Canvas, Colour, Pattern, Surface, hull
from datamodules.figure_head import Head
from datamodules.keypoints import OCCLUDED, UNLABELLED, VISIBLE

OBJECT = 255  # owner of what stands in front
# Owners of the parts; those of the left side follow the right one's.
_TRUNK, _PELVIS, _NECK, _HEAD, _UPPER_ARM, _FOREARM, _HAND, _THIGH, _SHIN, _FOOT = 1, 2, 3, 4, 5, 7, 9, 11, 13, 15


@dataclass(frozen=True)
class Look:
    """The colours of a person.

    Attributes:
        sleeves: Share of the arm's two bones that is clothed, 0 to 2.
        trousers: Likewise of the leg's.
        face: Half of the angle in degrees that the face takes of the head; the rest is hair.
    """

    skin: Colour
    hair: Colour
    shirt: Surface
    legs: Surface
    shoes: Colour
    badge: Colour
    sleeves: float
    trousers: float
    face: float


def draw_look(rng: np.random.Generator, stature_px: float) -> Look:
    """Draw the skin, hair and clothes of one person."""
    tone = rng.uniform(0, 1)
    skin = tuple(float(v) for v in (1 - tone) * np.array([238, 196, 168]) + tone * np.array([112, 72, 48]))
    hair = np.array([[28, 22, 20], [70, 44, 26], [120, 80, 44], [196, 164, 96], [128, 124, 122]])[rng.integers(5)]
    return Look(
        skin=(skin[0], skin[1], skin[2]),
        hair=_near(rng, hair, 12),
        shirt=_cloth(rng, stature_px),
        legs=_cloth(rng, stature_px),
        shoes=_near(rng, rng.choice([30.0, 120.0, 230.0], 3), 20),
        badge=_near(rng, rng.choice([40.0, 235.0], 3), 15),
        sleeves=float(rng.choice([0.0, 0.6, 2.0], p=[0.15, 0.4, 0.45])),
        trousers=float(rng.choice([0.55, 2.0], p=[0.35, 0.65])),
        face=float(rng.uniform(62, 76)),
    )


def paint_body(canvas: Canvas, body: Body, look: Look, origin: Array, stature_px: float) -> Array:
    """Paint a body and return its joints [14, 2] in pixels.

    Args:
        canvas: What lies behind the body is there already.
        body: In shares of the stature.
        look: Colours.
        origin: Where the middle of the hips comes to lie, in pixels.
        stature_px: Size of a standing body.
    """
    painter = _Painter(canvas, body, look, origin, stature_px)
    for _, paint in sorted(painter.parts(), key=lambda part: -part[0]):
        paint()
    return painter.place(body.joints)


def joint_visibility(canvas: Canvas, body: Body, joints: Array) -> NDArray[np.uint8]:
    """Return for each joint [14] whether it shows, is hidden, or lies outside of the image."""
    return np.array([_visibility(canvas, body, joint, joints) for joint in range(len(joints))], dtype=np.uint8)


def _visibility(canvas: Canvas, body: Body, joint: int, joints: Array) -> int:
    if canvas.owner_at(joints[joint]) is None:
        return UNLABELLED
    # The top of the head is on its outline: ask a little inside.
    point = joints[joint] + 0.15 * (joints[NECK] - joints[joint]) * (joint == HEAD_TOP)
    owner = canvas.owner_at(point)
    if joint in (NECK, HEAD_TOP):
        return VISIBLE if owner in {NECK: (_NECK, _TRUNK), HEAD_TOP: (_HEAD,)}[joint] else OCCLUDED
    limbs = ((ARMS, (_UPPER_ARM, _FOREARM, _HAND)), (LEGS, (_THIGH, _SHIN, _FOOT)))
    (side, place, parts), = [
        (side, limb.index(joint), parts) for sides, parts in limbs for side, limb in enumerate(sides) if joint in limb
    ]  # fmt: skip
    own = {part + side for part in parts[max(place - 1, 0) : place + 1]}
    if place == 0:
        # Seen from the side, the far shoulder or hip lies behind the trunk.
        other = next(sides for sides, _ in limbs if joint in sides[side])[1 - side][0]
        apart = body.joints[joint] - body.joints[other]
        own |= {_TRUNK, _PELVIS} if apart[2] < 0.7 * np.linalg.norm(apart) else set()
    return VISIBLE if owner in own else OCCLUDED


class _Painter:
    """Paint the parts of one body; lengths are shares of the stature."""

    def __init__(self, canvas: Canvas, body: Body, look: Look, origin: Array, stature_px: float) -> None:
        self.canvas, self.body, self.look, self.origin, self.size = canvas, body, look, origin, stature_px
        self.thick = stature_px * body.build.stout

    def place(self, points: Array) -> Array:
        """Project points [N, 3] along z to pixels [N, 2]."""
        return self.origin + self.size * points[..., :2]

    def parts(self) -> list[tuple[float, Callable[[], None]]]:
        """Return each part's distance from the camera and how to paint it."""
        joints, z = self.body.joints, self.body.joints[:, 2]
        trunk = float(z[[2, 3, 8, 9]].mean())
        found: list[tuple[float, Callable[[], None]]] = [
            (trunk, self._trunk),
            (trunk + 0.01, self._pelvis),
            (float(z[NECK]) + 0.03, self._neck),
            (float(z[[NECK, HEAD_TOP]].mean()), self._head),
        ]
        for side in (0, 1):
            for limb, tip, radii, owners, near in (
                (ARMS[side], self.body.hands[side], (0.029, 0.024, 0.016, 0.02), (_UPPER_ARM, _FOREARM, _HAND), 0.025),
                (LEGS[side], self.body.toes[side], (0.047, 0.033, 0.021, 0.016), (_THIGH, _SHIN, _FOOT), -0.02),
            ):
                points = np.vstack([joints[list(limb)], tip])
                for bone in range(3):
                    depth = float(points[bone : bone + 2, 2].mean()) - near * (bone < 2)
                    args = (points[bone : bone + 2], radii[bone : bone + 2], owners[bone] + side, bone)
                    found.append((depth, lambda args=args: self._bone(*args)))  # type: ignore[misc]
        return found

    def _bone(self, points: Array, radii: tuple[float, float], owner: int, bone: int) -> None:
        """Paint a bone of an arm or a leg, clothed down to where the sleeve or trouser leg ends."""
        look, (start, end) = self.look, self.place(points)
        arm = owner in range(_UPPER_ARM, _THIGH)
        first, last = (radius * self.thick for radius in radii)
        if bone == 2:
            bare = Surface(look.skin if arm else look.shoes)
            self.canvas.capsule(start, end, (first, last), bare, owner)
            return
        self.canvas.capsule(start, end, (first, last), Surface(look.skin), owner)
        clothed = min((look.sleeves if arm else look.trousers) - bone, 1.0)
        if clothed > 0:
            middle = start + clothed * (end - start)
            hem = first + clothed * (last - first)
            self.canvas.capsule(start, middle, (1.12 * first, 1.12 * hem), look.shirt if arm else look.legs, owner)

    def _trunk(self) -> None:
        points = self.place(self.body.joints)
        waist = points[[2, 3]] + 0.12 * (points[[8, 9]] - points[[2, 3]])
        discs = np.vstack([0.97 * points[[8, 9]] + 0.03 * points[[9, 8]], waist, points[NECK][None]])
        outline = hull(discs, np.array([0.036, 0.036, 0.052, 0.052, 0.028]) * self.thick)
        middle = (points[[8, 9]].mean(axis=0), points[[2, 3]].mean(axis=0))
        radius = float(np.hypot(*(points[8] - points[9]))) / 2 + 0.045 * self.thick
        self.canvas.paint(outline, self.look.shirt, _TRUNK, middle, radius)
        self._front()

    def _front(self) -> None:
        """Paint what only the chest has: an open collar and a badge."""
        chest = self.body.chest
        if chest[2, 2] <= 0.1:  # the person's back is turned
            return
        shoulders = self.body.joints[[8, 9]].mean(axis=0)
        # Points of the chest's surface: left, down, back of the middle of the shoulders.
        collar = np.array([[-0.035, -0.03, -0.04], [0.035, -0.03, -0.04], [0.0, 0.055, -0.055]])
        badge = np.array([[-0.045, 0.08, -0.055], [0.045, 0.08, -0.055], [0.045, 0.14, -0.06], [-0.045, 0.14, -0.06]])
        for corners, colour in ((collar, self.look.skin), (badge, self.look.badge)):
            outline = self.place(shoulders + corners @ chest.T)
            middle = (outline.mean(axis=0), outline.mean(axis=0) + chest[:2, 1])
            self.canvas.paint(outline, Surface(colour), _TRUNK, middle, 0.2 * self.size)

    def _pelvis(self) -> None:
        points = self.place(self.body.joints)
        waist = points[[2, 3]] + 0.15 * (points[[8, 9]] - points[[2, 3]])
        outline = hull(np.vstack([points[[2, 3]], waist]), np.array([0.052, 0.052, 0.05, 0.05]) * self.thick)
        middle = points[[2, 3]].mean(axis=0)
        self.canvas.paint(outline, self.look.legs, _PELVIS, (waist.mean(axis=0), middle), 0.11 * self.thick)

    def _neck(self) -> None:
        joints = self.place(self.body.joints)
        low, high = joints[[8, 9]].mean(axis=0), joints[NECK] + 0.4 * (joints[HEAD_TOP] - joints[NECK])
        self.canvas.capsule(low, high, (0.026 * self.thick, 0.024 * self.thick), Surface(self.look.skin), _NECK)

    def _head(self) -> None:
        joints, axes = self.body.joints, self.body.head
        semi = 0.43 * self.body.build.head * self.size * np.array([0.72, 1.0, 0.78])
        centre = self.place(joints[HEAD_TOP]) + semi[1] * axes[:2, 1]
        Head(centre, axes, semi).paint(self.canvas, self.look.skin, self.look.hair, self.look.face, _HEAD)


def _near(rng: np.random.Generator, colour: NDArray[np.generic], deviation: float) -> Colour:
    red, green, blue = (float(v) for v in np.clip(colour + rng.normal(0, deviation, 3), 5, 250))
    return red, green, blue


def _cloth(rng: np.random.Generator, stature_px: float) -> Surface:
    first, second = rng.uniform(15, 235, 3), rng.uniform(15, 235, 3)
    patterns: tuple[Pattern, ...] = ("plain", "bands", "stripes", "checks")
    pattern = patterns[int(rng.choice(4, p=[0.55, 0.15, 0.15, 0.15]))]
    period = float(rng.uniform(0.035, 0.09)) * stature_px
    return Surface(_near(rng, first, 0), _near(rng, 0.6 * second + 0.4 * first, 0), pattern, period)
