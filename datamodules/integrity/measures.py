"""What is measured of an image's channels and of a label's structures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datamodules.formats.geometry import Box
from datamodules.geometry import bounding_box, box_shape, crop
from datamodules.integrity.facts import ChannelFacts, StructureFacts

BINS = 64
_MAX_VOXELS = 4_000_000  # a histogram of this many is exact enough
ABSENT = StructureFacts(0, 0, 0, 0, None)
_SPECK = 3  # voxels; smaller than anything that is drawn on purpose
_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def hash_voxels(array: NDArray[Any]) -> str:
    """Return a SHA-256 over shape, type and values, whatever their order in memory."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def channel_facts(channel: NDArray[np.float32], *, finite: bool) -> ChannelFacts:
    """Measure a channel `[X, Y, Z]`.

    Args:
        channel: Its voxels.
        finite: Whether all of them are known to be finite.

    Returns:
        Its statistics; all 0 where no voxel is finite.
    """
    values = channel.reshape(-1)
    nonfinite = 0
    if not finite:
        kept = values[np.isfinite(values)]
        nonfinite, values = values.size - kept.size, kept
    if not values.size:
        return ChannelFacts(0.0, 0.0, 0.0, 0.0, nonfinite, np.zeros(BINS, np.int64))
    low, high = float(values.min()), float(values.max())
    mean = float(values.mean(dtype=np.float64))
    deviation = _deviation(values, mean) if high > low else 0.0
    return ChannelFacts(low, high, mean, deviation, nonfinite, _histogram(values, low, high))


def _deviation(values: NDArray[np.float32], mean: float) -> float:
    """Return the standard deviation, with a part of the values in float64 at a time."""
    squares = 0.0
    for start in range(0, values.size, _MAX_VOXELS):
        centred = values[start : start + _MAX_VOXELS].astype(np.float64) - mean
        squares += float(centred @ centred)
    return float(np.sqrt(squares / values.size))


def _histogram(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.int64]:
    """Count values in bins of equal width from low to high; the highest value falls into the last bin."""
    drawn = values[:: max(1, values.size // _MAX_VOXELS)]
    if high <= low:
        return np.bincount([0], [drawn.size], minlength=BINS).astype(np.int64)
    # in float32 and by truncation: several times as fast as numpy's histogram
    scaled = (drawn - np.float32(low)) * np.float32(BINS / (high - low))
    index = np.minimum(scaled, BINS - 1).astype(np.uint8)
    return np.bincount(index, minlength=BINS).astype(np.int64)


def blank_slices(channel: NDArray[np.float32]) -> tuple[float, int]:
    """Find the slices, along the last axis, in which every voxel has one value.

    Args:
        channel: Voxels `[X, Y, Z]` as they are stored.

    Returns:
        Their share of all, and the number of those with others on both sides; none where the channel is constant.
    """
    filled = np.flatnonzero(channel.max(axis=(0, 1)) != channel.min(axis=(0, 1)))
    if not filled.size:
        return 0.0, 0
    gaps = filled[-1] - filled[0] + 1 - filled.size
    return 1 - filled.size / channel.shape[2], int(gaps)


def copies_label(channel: NDArray[np.float32], label: NDArray[Any]) -> bool:
    """Tell whether a channel has one value in each structure and one outside, as a label stored as an image has.

    Args:
        channel: Voxels `[X, Y, Z]`.
        label: Class indices `[X, Y, Z]` or masks `[K, X, Y, Z]`.
    """
    present = label.any(axis=0) if label.ndim == 4 else label != 0
    if not _is_constant(channel[~present]) or _is_constant(channel):  # nearly every image ends here
        return False
    masks = label != 0 if label.ndim == 4 else (label == value for value in np.unique(label[present]))
    return all(_is_constant(channel[mask]) for mask in masks)


def _is_constant(values: NDArray[np.float32]) -> bool:
    return not values.size or bool(values.min() == values.max())


def structure_facts(label: NDArray[Any], names: Sequence[str]) -> dict[str, StructureFacts]:
    """Measure where each structure is.

    Args:
        label: Class indices `[X, Y, Z]` (0 is the background), or masks `[K, X, Y, Z]`, in canonical orientation.
        names: Foreground structures, in the order of the channels.
    """
    if label.ndim == 4:
        return {name: _measure(mask != 0, bounding_box(mask != 0)) for name, mask in zip(names, label, strict=True)}
    boxes: list[Box | None] = [
        found and ((found[0].start, found[0].stop), (found[1].start, found[1].stop), (found[2].start, found[2].stop))
        for found in ndimage.find_objects(label, len(names))
    ]
    return {
        name: _measure(crop(label, box) == index, box) if box else ABSENT
        for index, (name, box) in enumerate(zip(names, boxes, strict=True), start=1)
    }


def _measure(mask: NDArray[np.bool_], box: Box | None) -> StructureFacts:
    """Measure the mask of one structure, cut down to its box or whole."""
    if box is None:
        return ABSENT
    inside = mask if mask.shape == box_shape(box) else crop(mask, box)
    parts, count = ndimage.label(inside, structure=_NEIGHBOURS)
    sizes = np.bincount(parts.reshape(-1))[1:]
    specks = int((sizes <= _SPECK).sum()) if sizes.max() > _SPECK else 0
    return StructureFacts(int(sizes.sum()), int(count), int(sizes.max()), specks, box)


def touching(label: NDArray[Any], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the pairs of structures that touch by a voxel's face, or overlap.

    Args:
        label: Class indices `[X, Y, Z]` (0 is the background), or masks `[K, X, Y, Z]`.
        names: Foreground structures, in the order of the channels.

    Returns:
        Pairs in the order of the names, each once.
    """
    pairs = _touching_masks(label) if label.ndim == 4 else _touching_classes(label)
    return tuple((names[first], names[second]) for first, second in sorted(pairs))


def _touching_classes(label: NDArray[Any]) -> set[tuple[int, int]]:
    box = bounding_box(label != 0)
    if box is None:
        return set()
    inside = crop(label, box)
    pairs: set[tuple[int, int]] = set()
    for axis in range(3):
        before, after = (np.moveaxis(inside, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        meets = (before != after) & (before != 0) & (after != 0)
        met = np.unique(np.stack([before[meets], after[meets]]), axis=1) if meets.any() else np.zeros((2, 0), int)
        pairs |= {(min(a, b) - 1, max(a, b) - 1) for a, b in met.T.tolist()}
    return pairs


def _touching_masks(masks: NDArray[Any]) -> set[tuple[int, int]]:
    boxes: list[Box | None] = [bounding_box(mask != 0, margin=1) for mask in masks]
    pairs = set()
    for second, box in enumerate(boxes):
        if box is None:
            continue
        grown = ndimage.binary_dilation(crop(masks[second], box) != 0)  # by a voxel's face
        pairs |= {(first, second) for first in range(second) if (grown & (crop(masks[first], box) != 0)).any()}
    return pairs
