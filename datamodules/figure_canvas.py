"""Shaded shapes painted below the size of a pixel, and who owns each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Colour = tuple[float, float, float]
Pattern = Literal["plain", "bands", "stripes", "checks"]

SCALE = 3  # fine pixels along each side of a pixel
OBJECT = 255  # owner of what stands in front of a person
_CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 24, endpoint=False)) for f in (np.cos, np.sin)], axis=1)


@dataclass(frozen=True)
class Surface:
    """The look of a shape.

    Attributes:
        colour: RGB from 0 to 255.
        second: The other colour of a pattern.
        pattern: "bands" run across the shape's axis, "stripes" along it.
        period_px: After which a pattern repeats.
    """

    colour: Colour
    second: Colour = (0.0, 0.0, 0.0)
    pattern: Pattern = "plain"
    period_px: float = 8.0


class Canvas:
    """An image of width and height in pixels, painted back to front.

    Coordinates are in pixels of the finished image, whose centres are integers.

    Attributes:
        fine: RGB [height * SCALE, width * SCALE, 3].
        owner: Number of the shape that each fine pixel shows, 0 for the background.
        light: Direction to the light: x right, y down, z away from the camera.
    """

    def __init__(self, fine: NDArray[np.uint8], light: Array) -> None:
        self.fine = fine
        self.owner: NDArray[np.uint8] = np.zeros(fine.shape[:2], np.uint8)
        self.light = light / np.linalg.norm(light)

    def paint(self, outline: Array, surface: Surface, owner: int, axis: tuple[Array, Array], radius: float) -> None:
        """Fill a polygon, shaded as a cylinder.

        Args:
            outline: Corners [N, 2].
            surface: Colours.
            owner: Number of the shape.
            axis: Two points on the middle line of the cylinder.
            radius: Of the cylinder, in pixels.
        """
        corners = (outline + 0.5) * SCALE - 0.5
        height, width = self.owner.shape
        x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, (width, height))
        x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, 0, (width, height))
        if x1 <= x0 or y1 <= y0:
            return
        inside = _inside(corners - (x0, y0), x1 - x0, y1 - y0)
        rows, columns = np.nonzero(inside)
        points = ((np.stack([columns + x0, rows + y0], axis=1) + 0.5) / SCALE - 0.5).astype(np.float32)
        self.fine[y0:y1, x0:x1][inside] = self._colours(points, surface, axis, radius)
        self.owner[y0:y1, x0:x1][inside] = owner

    def _colours(
        self, points: NDArray[np.float32], surface: Surface, axis: tuple[Array, Array], radius: float
    ) -> NDArray[np.uint8]:
        """Return the RGB of points [N, 2]."""
        start, end = axis
        length = float(np.hypot(*(end - start)))
        along = (end - start) / length if length > 1e-6 else np.array([0.0, 1.0])
        across = np.array([-along[1], along[0]])
        u = (points - start.astype(np.float32)) @ along.astype(np.float32)
        v = (points - start.astype(np.float32)) @ across.astype(np.float32)
        t = np.clip(v / max(radius, 0.5), -1, 1)
        facing = np.float32(across @ self.light[:2]) * t - np.float32(self.light[2]) * np.sqrt(1 - t * t)
        shade = 0.55 + 0.55 * np.clip(facing, 0, 1)
        colour = np.array(surface.colour, dtype=np.float32)
        if surface.pattern != "plain":
            colour = np.where(_pattern(surface, u, v)[:, None], np.array(surface.second, dtype=np.float32), colour)
        return np.asarray(np.clip(colour * shade[:, None], 0, 255), dtype=np.uint8)

    def capsule(self, start: Array, end: Array, radii: tuple[float, float], surface: Surface, owner: int) -> None:
        """Paint a limb between two points [2], with a radius in pixels at each."""
        self.paint(hull(np.stack([start, end]), np.array(radii)), surface, owner, (start, end), max(radii))

    def disc(self, centre: Array, radius: float, surface: Surface, owner: int) -> None:
        """Paint a disc."""
        self.paint(centre + radius * _CIRCLE, surface, owner, (centre, centre + np.array([0, 1])), 4 * radius)

    def owner_at(self, point: Array) -> int | None:
        """Return the number of the shape seen at a point, None outside of the image."""
        x, y = np.floor((point + 0.5) * SCALE).astype(int)
        inside = 0 <= y < self.owner.shape[0] and 0 <= x < self.owner.shape[1]
        return int(self.owner[y, x]) if inside else None

    def image(self) -> NDArray[np.uint8]:
        """Return the image [height, width, 3]: the mean of each pixel's fine ones."""
        height, width = self.owner.shape
        size = (width // SCALE, height // SCALE)
        return np.asarray(cv2.resize(self.fine, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw_colour(rng: np.random.Generator) -> Colour:
    """Draw a colour; pure ones are rare, as in photographs."""
    drawn = rng.uniform(15, 240, 3)
    red, green, blue = (float(v) for v in drawn.mean() + rng.uniform(0.2, 1) * (drawn - drawn.mean()))
    return red, green, blue


def hull(centres: Array, radii: Array) -> Array:
    """Return the corners of the convex hull [M, 2] of discs with centres [N, 2] and radii [N]."""
    points = (centres[:, None] + radii[:, None, None] * _CIRCLE).reshape(-1, 2)
    corners: Array = cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)
    return corners


def _inside(corners: Array, width: int, height: int) -> NDArray[np.bool_]:
    """Return which pixels [height, width] have their centre in a polygon [N, 2].

    OpenCV would fill every pixel that the outline touches, which shifts a shape by up to half of one.
    """
    x, y = corners[:, 0], corners[:, 1]
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    row = np.arange(height)[:, None]
    rows, edges = np.nonzero((row >= np.minimum(y, next_y)) & (row < np.maximum(y, next_y)))
    share = (rows - y[edges]) / (next_y - y)[edges]
    crossings = np.ceil(x[edges] + share * (next_x - x)[edges]).clip(0, width).astype(np.int64)
    count = np.bincount(rows * (width + 1) + crossings, minlength=height * (width + 1))
    odd = np.cumsum(count.astype(np.uint8).reshape(height, width + 1), axis=1, dtype=np.uint8) & 1
    return odd[:, :-1].astype(bool)


def _pattern(surface: Surface, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where the second colour is, along and across the axis."""
    half = surface.period_px / 2
    bands, stripes = np.floor(u / half) % 2 > 0, np.floor(v / half + 0.5) % 2 > 0
    if surface.pattern == "checks":
        return np.asarray(bands ^ stripes)
    return np.asarray(bands if surface.pattern == "bands" else stripes)
