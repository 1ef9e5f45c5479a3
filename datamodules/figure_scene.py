"""The surroundings of a figure: a background, things like limbs on it, objects in front, and the camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.figure_canvas import OBJECT, SCALE, Array, Canvas, Pattern, Surface, draw_colour


def draw_background(rng: np.random.Generator, size: tuple[int, int]) -> Canvas:
    """Return a canvas of width and height in pixels with a gradient, blotches, shapes and limb-like things."""
    width, height = size[0] * SCALE, size[1] * SCALE
    corners = np.array(draw_colour(rng)) + rng.normal(0, 25, (2, 2, 3))
    image = _stretched(corners, (width, height))
    for cells, strength in ((6, rng.uniform(4, 20)), (size[0] // 4, rng.uniform(2, 14))):
        grain = rng.normal(0, strength, (cells, cells, 1)) + rng.normal(0, 0.3 * strength, (cells, cells, 3))
        image += _stretched(grain, (width, height))
    fine = np.clip(image, 0, 255).astype(np.uint8)
    canvas = Canvas(fine, np.array([rng.uniform(-1, 1), rng.uniform(-1, 0.3), rng.uniform(-1.2, -0.5)]))
    for _ in range(rng.integers(1, 6)):
        _paint_thing(canvas, rng, rng.uniform((0, 0), size), 0.22 * min(size), 0)
    for _ in range(rng.integers(0, 2)):
        _paint_false_limb(canvas, rng, rng.uniform((0, 0), size), 0.16 * min(size))
    return canvas


def paint_occluders(canvas: Canvas, rng: np.random.Generator, joints: Array, stature_px: float) -> None:
    """Put none to two objects in front of a figure, each over a joint or beside it."""
    for _ in range(rng.choice(3, p=[0.8, 0.17, 0.03])):
        place = joints[rng.integers(len(joints))] + rng.normal(0, 0.04 * stature_px, 2)
        _paint_thing(canvas, rng, place, 0.06 * stature_px, OBJECT)


@dataclass(frozen=True)
class Camera:
    """What a camera does to a picture.

    Attributes:
        gain: Exposure and colour cast, for R, G and B.
        blur_px: Deviation of its blur, 0 for none.
        noise: Deviation of its noise, in grey values from 0 to 255.
    """

    gain: tuple[float, float, float]
    blur_px: float
    noise: float

    def photograph(self, canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the image [H, W, 3] of a canvas."""
        image = canvas.image().astype(np.float32)
        if self.blur_px:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), self.blur_px), dtype=np.float32)
        noise = rng.standard_normal(image.shape, dtype=np.float32) * self.noise
        seen = image * np.array(self.gain, dtype=np.float32) + noise
        return np.asarray(np.clip(np.rint(seen), 0, 255), dtype=np.uint8)


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw how a picture is taken; every other one is in focus."""
    red, green, blue = rng.uniform(0.8, 1.15) * rng.normal(1, 0.04, 3)
    blur = float(rng.uniform(0.3, 0.9)) if rng.random() < 0.5 else 0.0
    return Camera((float(red), float(green), float(blue)), blur, float(rng.uniform(1, 8)))


def _stretched(cells: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(cells.astype(np.float32), size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _surface(rng: np.random.Generator) -> Surface:
    patterns: tuple[Pattern, ...] = ("plain", "plain", "bands", "stripes")
    return Surface(draw_colour(rng), draw_colour(rng), patterns[rng.integers(4)], float(rng.uniform(4, 16)))


def _paint_thing(canvas: Canvas, rng: np.random.Generator, place: Array, size: float, owner: int) -> None:
    """Paint a box, an ellipse or a bar about a place; size is the mean of half of its extent, in pixels."""
    kind = rng.integers(3)
    angle = rng.uniform(0, np.pi)
    half = size * rng.uniform(0.6, 1.4, 2) * ((1, 1), (1, 1), (3, 0.3))[kind]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    steps = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    box = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    corners = np.stack([np.cos(steps), np.sin(steps)], axis=1) if kind == 1 else box
    axis = (place, place + turn[:, 0])
    canvas.paint(place + (corners * half) @ turn.T, _surface(rng), owner, axis, 2 * float(half[1]))


def _paint_false_limb(canvas: Canvas, rng: np.random.Generator, place: Array, length: float) -> None:
    """Paint two bones that belong to nobody."""
    angle = rng.uniform(0, 2 * np.pi)
    points = [place]
    for turn in (0.0, rng.uniform(-2, 2)):
        points.append(
            points[-1] + length * rng.uniform(0.7, 1.3) * np.array([np.cos(angle + turn), np.sin(angle + turn)])
        )
    radius = 0.17 * length * rng.uniform(0.7, 1.3)
    surface = _surface(rng)
    canvas.capsule(points[0], points[1], (radius, 0.8 * radius), surface, 0)
    canvas.capsule(points[1], points[2], (0.8 * radius, 0.6 * radius), surface, 0)
