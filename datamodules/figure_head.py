"""A head: an ellipsoid of hair with a face on its front."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datamodules.figure_canvas import Array, Canvas, Colour, Surface

_ANGLES = np.linspace(0, 2 * np.pi, 36, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
# Directions on the unit ball: the person's left, down, back.
_FACE, _NOSE, _MOUTH = (0.0, 0.3, -1.0), (0.0, 0.3, -1.0), (0.0, 0.62, -0.85)
_EYES = ((-0.38, 0.08, -0.92), (0.38, 0.08, -0.92))


@dataclass(frozen=True)
class Head:
    """An ellipsoid seen along z.

    Attributes:
        centre: In pixels [2].
        axes: The person's left, down and back in columns [3, 3].
        semi_px: Half of the extent along each axis [3].
    """

    centre: Array
    axes: Array
    semi_px: Array

    def paint(self, canvas: Canvas, skin: Colour, hair: Colour, face: float, owner: int) -> None:
        """Paint the head; the face takes `face` degrees about its middle, as far as it is seen."""
        away = self._away()
        plane = np.linalg.svd(away[None])[2][1:]  # two directions of the ball's outline
        self._fill(canvas, self._project(_CIRCLE @ plane), hair, owner)
        front = np.array(_FACE) / np.linalg.norm(_FACE)
        rim = np.cos(np.deg2rad(face)) * front + np.sin(np.deg2rad(face)) * (_CIRCLE @ np.linalg.svd(front[None])[2][1:])
        hidden = rim @ away
        if hidden.min() >= 0:
            return
        # What lies beyond the outline is drawn on it.
        seen = rim - np.maximum(hidden, 0)[:, None] * away
        self._fill(canvas, self._project(seen / np.linalg.norm(seen, axis=1, keepdims=True)), skin, owner)
        darker = (0.72 * skin[0], 0.62 * skin[1], 0.62 * skin[2])
        features = ((_EYES[0], 0.15, (25.0, 20, 20)), (_EYES[1], 0.15, (25.0, 20, 20)), (_NOSE, 0.14, darker))
        for direction, size, colour in (*features, (_MOUTH, 0.16, (150.0, 50, 50))):
            point = np.array(direction) / np.linalg.norm(direction)
            if point @ away < -0.1:
                canvas.disc(self._project(point[None])[0], size * float(self.semi_px[0]), Surface(colour), owner)

    def _away(self) -> Array:
        """Return the unit normal of the plane through the ball that parts the seen side from the hidden one."""
        normal: Array = self.axes[2] / self.semi_px
        return normal / np.linalg.norm(normal)

    def _project(self, points: Array) -> Array:
        """Map points of the unit ball [N, 3] to pixels [N, 2]."""
        projected: Array = self.centre + ((points * self.semi_px) @ self.axes.T)[:, :2]
        return projected

    def _fill(self, canvas: Canvas, outline: Array, colour: Colour, owner: int) -> None:
        axis = (self.centre, self.centre + self.axes[:2, 1])
        canvas.paint(outline, Surface(colour), owner, axis, 1.2 * float(self.semi_px[0]))
