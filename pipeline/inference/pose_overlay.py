"""A pose drawn on its frame: limbs, joints and where they were, as opaque as they are certain."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from datamodules.keypoints import Skeleton

Color = tuple[int, int, int]
_LEFT, _RIGHT, _MIDDLE = (255, 140, 0), (0, 150, 255), (60, 220, 60)  # RGB
_SHIFT = 4  # bits behind the point in OpenCV's fixed-point coordinates: sixteenths of a pixel
_FAR = 2**14  # pixels; what lies beyond would overflow them
_TRAIL_OPACITY = 0.6
_FAINTEST = 0.05  # below, nothing is drawn


def joint_colors(skeleton: Skeleton) -> list[Color]:
    """Return a colour in RGB for each joint: by its side, or all different where there are no sides."""
    if not skeleton.pairs:
        hues = np.linspace(0, 179, len(skeleton.names), endpoint=False).astype(np.uint8)
        hsv = np.stack([hues, np.full_like(hues, 220), np.full_like(hues, 255)], axis=-1)[None]
        return [(int(r), int(g), int(b)) for r, g, b in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]]
    colors: list[Color] = [_MIDDLE] * len(skeleton.names)
    for left, right in skeleton.pairs:
        colors[left], colors[right] = _LEFT, _RIGHT
    return colors


def marker_radius(height: int, width: int) -> float:
    """Return the radius in pixels of a joint's disc in an image of that size."""
    return max(2.0, 0.008 * min(height, width))


def draw_pose(
    image: NDArray[np.uint8],
    points: ArrayLike,
    confidence: ArrayLike,
    skeleton: Skeleton,
    trail: Sequence[ArrayLike] = (),
) -> NDArray[np.uint8]:
    """Draw a pose on a copy of an image. The centre of a joint's disc is the joint, to a sixteenth of a pixel.

    Args:
        image: RGB [H, W, 3].
        points: x and y in pixels [K, 2]; what is not finite is not drawn.
        confidence: From 0 to 1 [K], the opacity; not finite counts as 0.
        skeleton: Names, limbs and sides.
        trail: Points [K, 2] of earlier frames, the oldest first.

    Raises:
        ValueError: If the shapes are not those of the skeleton.
    """
    xy, scores = np.asarray(points, np.float64), np.nan_to_num(np.asarray(confidence, np.float64)).clip(0, 1)
    joints = len(skeleton.names)
    if xy.shape != (joints, 2) or scores.shape != (joints,):
        found = f"points {list(xy.shape)} and confidence {list(scores.shape)}"
        raise ValueError(f"expected {joints} joints, found {found}")
    drawn, colors = image.copy(), joint_colors(skeleton)
    radius = marker_radius(*image.shape[:2])
    _draw_trail(drawn, [*trail, xy], colors, scores, radius)
    for a, b in skeleton.edges:
        color = colors[a] if colors[a] != _MIDDLE else colors[b]
        _blend_line(drawn, xy[a], xy[b], color, min(scores[a], scores[b]), radius)
    for point, color, score in zip(xy, colors, scores, strict=True):
        _blend_disc(drawn, point, color, score, radius)
    return drawn


def empty_picture(width: int, height: int, text: str) -> NDArray[np.uint8]:
    """Return a dark picture [height, width, 3] with a word, to stand for a frame that cannot be shown."""
    picture = np.full((height, width, 3), 40, np.uint8)
    scale = max(0.3, width / 600)
    cv2.putText(picture, text, (width // 20, height // 2), cv2.FONT_HERSHEY_SIMPLEX, scale, (200,) * 3, 1, cv2.LINE_AA)
    return picture


def _draw_trail(
    image: NDArray[np.uint8],
    path: Sequence[ArrayLike],
    colors: Sequence[Color],
    scores: NDArray[np.float64],
    radius: float,
) -> None:
    """Draw where each joint has come from, fading with age."""
    steps, width = np.asarray(path, np.float64), max(1, round(radius / 2))
    for joint, color in enumerate(colors):
        places = steps[:, joint]
        known: NDArray[np.bool_] = np.abs(places).max(axis=1) < _FAR
        if known.sum() < 2 or scores[joint] < _FAINTEST:
            continue
        window = _window(image, places[known], radius)
        if window is None:
            continue
        corner, part = window
        mask = np.zeros(part.shape[:2], np.uint8)
        for age in np.flatnonzero(known[:-1] & known[1:]):
            value = round(255 * (age + 1) / len(steps))
            ends = _fixed(places[age] - corner), _fixed(places[age + 1] - corner)
            cv2.line(mask, *ends, value, width, cv2.LINE_AA, _SHIFT)
        _blend(part, mask, color, _TRAIL_OPACITY * scores[joint])


def _blend_disc(
    image: NDArray[np.uint8], point: NDArray[np.float64], color: Color, opacity: float, radius: float
) -> None:
    window = _window(image, point[None], radius)
    if window is None or opacity < _FAINTEST:
        return
    corner, part = window
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.circle(mask, _fixed(point - corner), round(radius * 2**_SHIFT), 255, -1, cv2.LINE_AA, _SHIFT)
    _blend(part, mask, color, opacity)


def _blend_line(
    image: NDArray[np.uint8],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    color: Color,
    opacity: float,
    thickness: float,
) -> None:
    window = _window(image, np.stack([start, end]), thickness)
    if window is None or opacity < _FAINTEST:
        return
    corner, part = window
    mask = np.zeros(part.shape[:2], np.uint8)
    width = max(1, round(thickness))
    cv2.line(mask, _fixed(start - corner), _fixed(end - corner), 255, width, cv2.LINE_AA, _SHIFT)
    _blend(part, mask, color, opacity)


def _window(
    image: NDArray[np.uint8], points: NDArray[np.float64], margin: float
) -> tuple[NDArray[np.int64], NDArray[np.uint8]] | None:
    """Return the corner and a view of the part of the image around points, None where there is none."""
    if not (np.isfinite(points).all() and np.abs(points).max() < _FAR):
        return None
    reach = margin + 2
    low = np.floor(points.min(axis=0) - reach).astype(np.int64).clip(0)
    high = np.ceil(points.max(axis=0) + reach).astype(np.int64) + 1
    part = image[low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
    return (low, part) if part.size else None


def _fixed(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0]) * 2**_SHIFT), round(float(point[1]) * 2**_SHIFT)


def _blend(part: NDArray[np.uint8], mask: NDArray[np.uint8], color: Color, opacity: float) -> None:
    """Mix in a colour where the mask is above 0, which is a small part of it."""
    drawn = np.divmod(np.flatnonzero(mask), mask.shape[1])
    weight = mask[drawn][:, None].astype(np.float32) * np.float32(opacity / 255)
    before = part[drawn].astype(np.float32)
    part[drawn] = np.rint(before + weight * (np.array(color, np.float32) - before)).astype(np.uint8)
