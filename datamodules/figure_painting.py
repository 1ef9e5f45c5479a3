"""Painting a posed body part by part, from back to front."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from datamodules.figure_body import ARM_PARTS, ARMS, HEAD_TOP, LEG_PARTS, LEGS, NECK, Body, Part
from datamodules.figure_canvas import Array, Canvas, Surface, hull
from datamodules.figure_head import Head
from datamodules.figure_look import Look

# Shares of the stature at the root, the middle joint, the end and the tip.
_ARM_RADII, _LEG_RADII = (0.029, 0.024, 0.016, 0.02), (0.047, 0.033, 0.021, 0.016)


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
                (ARMS[side], self.body.hands[side], _ARM_RADII, ARM_PARTS, 0.025),
                (LEGS[side], self.body.toes[side], _LEG_RADII, LEG_PARTS, -0.1),
            ):
                points = np.vstack([joints[list(limb)], tip])
                for bone in range(3):
                    depth = float(points[bone : bone + 2, 2].mean()) - near * (bone == 0)
                    args = (points[bone : bone + 2], radii[bone : bone + 2], owners[bone] + side, bone)
                    found.append((depth, lambda args=args: self._bone(*args)))  # type: ignore[misc]
        return found

    def _bone(self, points: Array, radii: tuple[float, float], owner: int, bone: int) -> None:
        """Paint a bone of an arm or a leg, clothed down to where the sleeve or trouser leg ends."""
        look, (start, end) = self.look, self.place(points)
        arm = owner in range(Part.UPPER_ARM, Part.THIGH)
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
        discs = np.vstack([points[[8, 9]], waist, points[NECK][None]])
        outline = hull(discs, np.array([0.036, 0.036, 0.052, 0.052, 0.028]) * self.thick)
        middle = (points[[8, 9]].mean(axis=0), points[[2, 3]].mean(axis=0))
        radius = float(np.hypot(*(points[8] - points[9]))) / 2 + 0.045 * self.thick
        self.canvas.paint(outline, self.look.shirt, Part.TRUNK, middle, radius)
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
            self.canvas.paint(outline, Surface(colour), Part.TRUNK, middle, 0.2 * self.size)

    def _pelvis(self) -> None:
        points = self.place(self.body.joints)
        waist = points[[2, 3]] + 0.15 * (points[[8, 9]] - points[[2, 3]])
        outline = hull(np.vstack([points[[2, 3]], waist]), np.array([0.052, 0.052, 0.05, 0.05]) * self.thick)
        middle = points[[2, 3]].mean(axis=0)
        self.canvas.paint(outline, self.look.legs, Part.PELVIS, (waist.mean(axis=0), middle), 0.11 * self.thick)

    def _neck(self) -> None:
        joints = self.place(self.body.joints)
        low, high = joints[[8, 9]].mean(axis=0), joints[NECK] + 0.4 * (joints[HEAD_TOP] - joints[NECK])
        self.canvas.capsule(low, high, (0.026 * self.thick, 0.024 * self.thick), Surface(self.look.skin), Part.NECK)

    def _head(self) -> None:
        joints, axes = self.body.joints, self.body.head
        semi = 0.43 * self.body.build.head * self.size * np.array([0.72, 1.0, 0.78])
        centre = self.place(joints[HEAD_TOP]) + semi[1] * axes[:2, 1]
        Head(centre, axes, semi).paint(self.canvas, self.look.skin, self.look.hair, self.look.face, Part.HEAD)
