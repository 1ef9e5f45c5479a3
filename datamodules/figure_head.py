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
        plane = np.linalg.svd(self._away()[None])[2][1:]  # two directions of the ball's outline
        self._fill(canvas, self._project(_CIRCLE @ plane), hair, owner)
        darker, dark, red = (0.72 * skin[0], 0.62 * skin[1], 0.62 * skin[2]), (25.0, 20.0, 20.0), (150.0, 50.0, 50.0)
        for middle, degrees, colour in (
            (_FACE, face, skin),
            (_EYES[0], 9.0, dark),
            (_EYES[1], 9.0, dark),
            (_NOSE, 8.0, darker),
            (_MOUTH, 9.0, red),
        ):
            outline = self._cap(np.array(middle), degrees)
            if outline is not None:
                self._fill(canvas, outline, colour, owner)

    def _cap(self, middle: Array, degrees: float) -> Array | None:
        """Return the outline [N, 2] of what is seen of a cap of the ball, None if nothing is."""
        away, middle = self._away(), middle / np.linalg.norm(middle)
        angle, plane = np.deg2rad(degrees), np.linalg.svd(middle[None])[2][1:]
        rim = np.cos(angle) * middle + np.sin(angle) * (_CIRCLE @ plane)
        hidden = rim @ away
        if hidden.min() >= 0:
            return None
        # What lies beyond the outline is drawn on it.
        seen = rim - np.maximum(hidden, 0)[:, None] * away
        return self._project(seen / np.linalg.norm(seen, axis=1, keepdims=True))

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
