"""Analytic solids and the canvas that they are painted on, in anatomical millimetres (RAS+)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Ellipsoid:
    """Hold an ellipsoid that may lean in the coronal plane.

    Attributes:
        centre_mm: Centre in anatomical millimetres (right, anterior, superior).
        radii_mm: Semi-axes along right, anterior and superior before it leans.
        lean_rad: Angle by which the superior end leans towards the patient's right.
    """

    centre_mm: Point
    radii_mm: Point
    lean_rad: float = 0.0

    def radius(self, x: Array, y: Array, z: Array) -> Array:
        """Return the squared normalised radius at each point: below 1 inside, 1 on the surface."""
        dx, dy, dz = (np.subtract(c, np.float32(o)) for c, o in zip((x, y, z), self.centre_mm, strict=True))
        if self.lean_rad:
            cos, sin = np.float32(np.cos(self.lean_rad)), np.float32(np.sin(self.lean_rad))
            dx, dz = dx * cos - dz * sin, dx * sin + dz * cos
        a, b, c = (np.float32(r) for r in self.radii_mm)
        return np.asarray((dx / a) ** 2 + (dy / b) ** 2 + (dz / c) ** 2, dtype=np.float32)

    def scaled(self, factor: float) -> Ellipsoid:
        """Return the same ellipsoid with every semi-axis multiplied by `factor`."""
        a, b, c = self.radii_mm
        return Ellipsoid(self.centre_mm, (a * factor, b * factor, c * factor), self.lean_rad)


@dataclass(frozen=True)
class Barrel:
    """Hold the rib cage's surface: an elliptical cylinder that closes above like a dome.

    Attributes:
        half_width_mm: Semi-axis to the right and left.
        half_depth_mm: Semi-axis to the front and back.
        shoulder_mm: Height from which the barrel narrows.
        dome_mm: Further height at which it would close.
    """

    half_width_mm: float
    half_depth_mm: float
    shoulder_mm: float
    dome_mm: float

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance to the surface in mm, exact to first order and negative inside."""
        rise = np.clip((z - self.shoulder_mm) / self.dome_mm, 0, 0.98)
        scale = np.sqrt(1 - rise**2)
        u, v = x / (self.half_width_mm * scale), y / (self.half_depth_mm * scale)
        rho = np.maximum(np.sqrt(u**2 + v**2), np.float32(1e-3))
        # The gradient's length turns the normalised radius into millimetres, so that a shell of
        # constant thickness stays constant where the barrel is flat, curved or closing.
        across = (u / (self.half_width_mm * scale)) ** 2 + (v / (self.half_depth_mm * scale)) ** 2
        least = max(self.half_width_mm, self.half_depth_mm) ** -2  # of the gradient, and all that is on the axis
        along = (rho * rise / (self.dome_mm * scale**2)) ** 2
        return np.asarray((rho - 1) / np.sqrt(np.maximum(across / rho**2, least) + along), dtype=np.float32)


class Canvas:
    """Collect HU and label values over a set of points.

    Args:
        x: Right coordinate of every point in mm.
        y: Anterior coordinate in mm.
        z: Superior coordinate in mm.
        background_hu: Value before anything is painted.
    """

    def __init__(self, x: Array, y: Array, z: Array, background_hu: float) -> None:
        self.x, self.y, self.z = x, y, z
        self.hu: Array = np.full(x.shape, background_hu, dtype=np.float32)
        self.label: npt.NDArray[np.uint8] = np.zeros(x.shape, dtype=np.uint8)

    def paint(self, where: Mask, hu: float, label: int = 0) -> None:
        """Give the points in `where` a value in HU and a label; what was there before is covered."""
        self.hu[where] = hu
        self.label[where] = label

    def inside(self, solid: Ellipsoid) -> Mask:
        """Return which points lie within an ellipsoid."""
        return np.asarray(solid.radius(self.x, self.y, self.z) < 1)


def periodic(height: npt.NDArray[np.floating[Any]], pitch_mm: float) -> tuple[npt.NDArray[np.int32], Array]:
    """Split a height into the index of its segment and the offset from that segment's middle in mm."""
    index = np.floor(height / np.float32(pitch_mm))
    offset = height - (index + np.float32(0.5)) * np.float32(pitch_mm)
    return index.astype(np.int32), np.asarray(offset, dtype=np.float32)
