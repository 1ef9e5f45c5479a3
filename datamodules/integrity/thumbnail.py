"""One small picture of a case: an axial slice with its labels, as a reader of images expects it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

EDGE = 128  # pixels of the longer side at most


def thumbnail(
    channel: NDArray[np.float32],
    label: NDArray[Any] | None,
    spacing_mm: tuple[float, float, float],
    limits: tuple[float, float],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the slice that holds most of the labels, or the middle one.

    Args:
        channel: Voxels `[X, Y, Z]` in canonical orientation.
        label: Class indices `[X, Y, Z]` or masks `[K, X, Y, Z]` on the same grid, where there is a label.
        spacing_mm: Spacing along X, Y, Z.
        limits: The values that become black and white.

    Returns:
        The picture, and for each pixel 0 or the position of its structure from 1; both uint8 `[h, w]`.
    """
    marks = np.zeros(channel.shape, np.uint8) if label is None else _positions(label)
    per_slice = np.count_nonzero(marks, axis=(0, 1))
    chosen = int(per_slice.argmax()) if per_slice.any() else channel.shape[2] // 2
    rows, columns = _sampling(channel.shape[0], channel.shape[1], spacing_mm)
    low, high = limits
    plane = np.nan_to_num(channel[:, :, chosen][np.ix_(columns, rows)], nan=low, posinf=high, neginf=low)
    grey = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255
    pictures = (grey.astype(np.uint8).T, marks[:, :, chosen][np.ix_(columns, rows)].T)
    if channel.shape[2] > 1:  # a 2-D image lies as it is shown; a volume's X runs to the left, its Y to the front
        pictures = (pictures[0][::-1, ::-1], pictures[1][::-1, ::-1])
    return np.ascontiguousarray(pictures[0]), np.ascontiguousarray(pictures[1])


def _positions(label: NDArray[Any]) -> NDArray[np.uint8]:
    """Return for each voxel 0 or the position of its structure from 1, the last one where several overlap."""
    if label.ndim == 3:
        clipped: NDArray[np.uint8] = np.minimum(label, 255).astype(np.uint8)
        return clipped
    marks = np.zeros(label.shape[1:], np.uint8)
    for index, mask in enumerate(label):
        marks[mask != 0] = min(index + 1, 255)
    return marks


def _sampling(
    width: int, height: int, spacing_mm: tuple[float, float, float]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and columns that are drawn, so that a pixel is as wide as it is high."""
    wide_mm, high_mm = width * spacing_mm[0], height * spacing_mm[1]
    pixel_mm = max(max(wide_mm, high_mm) / EDGE, min(spacing_mm[:2]))
    rows, columns = (max(1, min(EDGE, round(extent / pixel_mm))) for extent in (high_mm, wide_mm))
    return _nearest(height, rows), _nearest(width, columns)


def _nearest(size: int, wanted: int) -> NDArray[np.intp]:
    """Return the indices nearest to the centres of `wanted` equal parts of an axis."""
    return np.minimum(((np.arange(wanted) + 0.5) * size / wanted).astype(np.intp), size - 1)
