"""MPII Human Pose in the JSON that most re-implementations share: a list of people with 16 joints each.

Joints, centre and head box count pixels from 1, as Matlab does; here they count from 0. `scale` is the person's height
over 200 pixels. (Andriluka and others, CVPR 2014; the hourglass paper, section 3.2, for the box from both.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.annotations.images import plain_path
from datamodules.annotations.subjects import LARGEST_PX, Annotations, Subject, folders_around, joints
from datamodules.formats.errors import DataError
from datamodules.keypoints import UNLABELLED, VISIBLE, Box

NAMES = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("pelvis", "thorax", "upper_neck", "head_top"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
)
_LIMBS = [(0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9)]
_LIMBS += [(10, 11), (11, 12), (12, 7), (7, 13), (13, 14), (14, 15)]
EDGES = tuple((NAMES[a], NAMES[b]) for a, b in _LIMBS)
_HEAD_BOXES = ("headbox", "head_box", "head_rect")
_HEIGHT_PX = 200.0  # of a person of scale 1


def is_mpii(content: object) -> bool:
    """Tell whether parsed JSON is a list of people of MPII's kind."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and {"image", "joints", "joints_vis"} <= set(first)


def read_mpii(path: Path, content: Sequence[Any]) -> Annotations:
    """Read the people of an MPII JSON file.

    `joints_vis` 1 says that a joint is labelled, be it occluded or not, and 0 that it is not.

    Args:
        path: The file, for messages and as the place to look for images from.
        content: Its parsed JSON.

    Raises:
        DataError: If an entry has no image, not 16 joints, or numbers that are none.
    """
    subjects = []
    skipped: Counter[str] = Counter()
    for number, entry in enumerate(content):
        place = f"entry {number + 1}"
        if not isinstance(entry, dict) or not isinstance(entry.get("image"), str):
            raise DataError(path, "an object with `image` in every entry", f"none in {place}", "mend the file")
        subject = _subject(path, place, entry, skipped)
        if subject is None:
            skipped["people left out, without any labelled joint"] += 1
        else:
            subjects.append(subject)
    return Annotations(
        source=path,
        names=NAMES,
        subjects=tuple(subjects),
        ranks=folders_around(path),
        edges=EDGES,
        edges_from="of the format",
        origins=(
            "joint names: the 16 of MPII, whose JSON names none; its coordinates count from 1",
            *(f"{what}: {count}" for what, count in sorted(skipped.items())),
        ),
    )


def _subject(path: Path, place: str, entry: Mapping[str, Any], skipped: Counter[str]) -> Subject | None:
    points = _numbers(path, place, entry, "joints", (len(NAMES), 2))
    flags = _numbers(path, place, entry, "joints_vis", (len(NAMES),))
    if not np.isin(flags, (0, 1)).all():
        raise DataError(path, "joints_vis of 0 or 1", f"{flags.tolist()} in {place}", "mend the entry")
    # joints that are missing are written as 0, 0 or as -1, -1
    empty = np.isin(points, (0, -1)).all(axis=1)
    labelled = (flags == 1) & ~empty
    if not (np.abs(points[labelled]) < LARGEST_PX).all():
        raise DataError(path, "finite coordinates of labelled joints", f"others in {place}", "mend the entry")
    if unused := int((~labelled & ~empty & np.isfinite(points).all(axis=1)).sum()):
        skipped["joints left out, with coordinates but joints_vis 0"] += unused
    if not labelled.any():
        return None
    kept, visibility = joints(points - 1, np.where(labelled, VISIBLE, UNLABELLED))
    return Subject(
        image=plain_path(entry["image"]),
        place=place,
        points=kept,
        visibility=visibility,
        box=_box(path, place, entry),
        head_size_px=_head_size(path, place, entry),
    )


def _box(path: Path, place: str, entry: Mapping[str, Any]) -> Box | None:
    """Return a square as high as the person; its centre lies 15 pixels at scale 1 lower than the torso's."""
    if entry.get("center") is None or entry.get("scale") is None:
        return None
    x, y = _numbers(path, place, entry, "center", (2,)).tolist()
    scale = float(_numbers(path, place, entry, "scale", ()))
    if not (np.isfinite([x, y, scale]).all() and scale > 0):
        return None
    side = _HEIGHT_PX * scale
    return (x - 1 - side / 2, y - 1 + 15 * scale - side / 2, side, side)


def _head_size(path: Path, place: str, entry: Mapping[str, Any]) -> float | None:
    """Return 0.6 of the head box's diagonal, the norm of PCKh."""
    key = next((key for key in _HEAD_BOXES if entry.get(key) is not None), None)
    if key is None:
        return None
    left, top, right, bottom = _numbers(path, place, entry, key, (4,)).tolist()
    size = 0.6 * float(np.hypot(right - left, bottom - top))
    return size if np.isfinite(size) and size > 0 else None


def _numbers(path: Path, place: str, entry: Mapping[str, Any], key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    remedy = "mend the entry"
    try:
        values = np.asarray(entry.get(key), dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(path, f"numbers as `{key}`", f"{error} in {place}", remedy) from error
    if values.shape != shape:
        raise DataError(path, f"`{key}` of shape {list(shape)}", f"{list(values.shape)} in {place}", remedy)
    return values
