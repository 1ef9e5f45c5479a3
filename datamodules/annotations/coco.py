"""COCO keypoints: one JSON file with images, annotations and categories.

Coordinates count pixels from 0, so a pixel's centre lies at its integer; boxes are in the same coordinates.
The format: https://cocodataset.org/#format-data, section Keypoint Detection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from datamodules.annotations.coco_categories import category_edges, category_pairs, choose_names
from datamodules.annotations.images import plain_path
from datamodules.annotations.subjects import LARGEST_PX, Annotations, Subject, folders_around, joints
from datamodules.formats.errors import DataError
from datamodules.keypoints import OCCLUDED, UNLABELLED, VISIBLE, Box

_SKIPPED = {"crowd": "of a crowd", "bare": "without keypoints", "unlabelled": "without any labelled joint"}
_Image = tuple[str, str | None]  # its path, and the video that it is a frame of


def is_coco(content: object) -> bool:
    """Tell whether parsed JSON is of COCO's kind, with keypoints somewhere."""
    if not isinstance(content, dict):
        return False
    lists = [content.get(key) for key in ("images", "annotations", "categories")]
    if not all(isinstance(entries, list) for entries in lists):
        return False
    entries = [entry for entries in lists[1:] for entry in entries or () if isinstance(entry, dict)]
    return any(entry.get("keypoints") for entry in entries)


def read_coco(path: Path, content: Mapping[str, Any]) -> Annotations:
    """Read the subjects of a COCO file.

    Crowds, and annotations without a labelled joint, are left out and counted in `origins`.

    Args:
        path: The file, for messages and as the place to look for images from.
        content: Its parsed JSON.

    Raises:
        DataError: If ids repeat or lead nowhere, an annotation's keypoints are malformed, or several categories have
            different joints.
    """
    images = _images(path, content["images"])
    entries = [_dictionary(path, f"annotations[{n}]", entry) for n, entry in enumerate(content["annotations"])]
    _refuse_doubles(path, "annotation", [entry["id"] for entry in entries if "id" in entry])
    used = {str(entry.get("category_id")) for entry in entries if not entry.get("iscrowd") and _labelled(entry)}
    names, chosen, names_from = choose_names(path, content["categories"], used)
    skipped: Counter[str] = Counter()
    subjects = []
    for number, entry in enumerate(entries):
        place = f"annotation {entry.get('id', f'number {number + 1}')}"
        if entry.get("iscrowd"):
            skipped["crowd"] += 1
        elif not entry.get("keypoints") or str(entry.get("category_id")) not in used:
            skipped["bare"] += 1
        elif (subject := _subject(path, place, entry, images, len(names))) is None:
            skipped["unlabelled"] += 1
        else:
            subjects.append(subject)
    left_out = [f"annotations left out: {count} {_SKIPPED[why]}" for why, count in sorted(skipped.items())]
    if boxless := sum(subject.box is None for subject in subjects):
        left_out.append(f"boxes: none or empty in {boxless} of {len(subjects)} annotations")
    return Annotations(
        source=path,
        names=names,
        subjects=tuple(subjects),
        ranks=folders_around(path),
        edges=category_edges(path, chosen, names),
        pairs=category_pairs(chosen),
        origins=(names_from, *left_out),
    )


def _labelled(entry: Mapping[str, Any]) -> bool:
    """Tell whether any joint of an annotation has another visibility than 0."""
    keypoints = entry.get("keypoints")
    return any(keypoints[2::3]) if isinstance(keypoints, list) else bool(keypoints)


def _images(path: Path, entries: list[Any]) -> dict[Any, _Image]:
    images: dict[Any, _Image] = {}
    ids = []
    for number, entry in enumerate(entries):
        image = _dictionary(path, f"images[{number}]", entry)
        name = image.get("file_name")
        if "id" not in image or not isinstance(name, str) or not name.strip():
            raise DataError(path, "`id` and `file_name` of every image", f"images[{number}]: {image}", "mend the file")
        ids.append(image["id"])
        video = image.get("video_id", image.get("vid_id"))
        images[_key(image["id"])] = (plain_path(name), None if video is None else str(video))
    _refuse_doubles(path, "image", ids)
    return images


def _subject(
    path: Path, place: str, entry: Mapping[str, Any], images: Mapping[Any, _Image], count: int
) -> Subject | None:
    if _key(entry.get("image_id")) not in images:
        found = f"image_id {entry.get('image_id')!r} in {place}, which is no image's"
        raise DataError(path, "an image for every annotation", found, "add it to `images`, or remove the annotation")
    image, video = images[_key(entry["image_id"])]
    table = _table(path, place, entry["keypoints"], count)
    labels = table[:, 2]
    if not np.isin(labels, (UNLABELLED, OCCLUDED, VISIBLE)).all():
        wrong = labels[~np.isin(labels, (UNLABELLED, OCCLUDED, VISIBLE))][0]
        raise DataError(path, "visibility 0, 1 or 2 of every joint", f"{wrong:g} in {place}", "mend the annotation")
    labelled = labels != UNLABELLED
    lost = labelled & ~(np.abs(table) < LARGEST_PX).all(axis=1)
    if lost.any():
        joint = int(np.flatnonzero(lost)[0])
        found = f"{table[joint, :2].tolist()} for joint {joint + 1} of {place}"
        raise DataError(path, "finite coordinates of labelled joints", found, "mend the annotation")
    if not labelled.any():
        return None
    points, visibility = joints(table[:, :2], labels.astype(np.int64))
    area = entry.get("area")
    return Subject(
        image=image,
        place=place,
        points=points,
        visibility=visibility,
        box=_box(path, place, entry.get("bbox")),
        area_px=float(area) if _is_number(area) and area > 0 else None,
        video=video,
    )


def _table(path: Path, place: str, keypoints: object, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return keypoints as [K, 3]: x, y and visibility."""
    try:
        flat = np.asarray(keypoints, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(path, "numbers as keypoints", f"{error} in {place}", "mend the annotation") from error
    if flat.shape != (3 * count,):
        found = f"{flat.size} in {place}"
        raise DataError(path, f"{3 * count} numbers, x, y and visibility of {count} joints", found, "mend it")
    return flat.reshape(count, 3)


def _box(path: Path, place: str, bbox: object) -> Box | None:
    """Return a box that has an extent, else None."""
    if bbox is None or bbox == []:
        return None
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(_is_number(value) for value in bbox):
        raise DataError(path, "bbox as four finite numbers", f"{bbox} in {place}", "mend the annotation")
    x, y, width, height = (float(value) for value in bbox)
    return (x, y, width, height) if width > 0 and height > 0 else None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST_PX < value < LARGEST_PX


def _key(identifier: object) -> object:
    """Return an id that can be looked up, be it malformed."""
    return identifier if isinstance(identifier, str | int | float) else repr(identifier)


def _dictionary(path: Path, place: str, entry: object) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise DataError(path, "an object with keys", f"{type(entry).__name__} at {place}", "mend the file")
    return entry


def _refuse_doubles(path: Path, what: str, ids: list[Any]) -> None:
    doubles = [id_ for id_, count in Counter(_key(id_) for id_ in ids).items() if count > 1]
    if doubles:
        found = f"{len(doubles)} that repeat: {', '.join(str(id_) for id_ in doubles[:5])}"
        raise DataError(path, f"an id of its own for every {what}", found, "mend the file")
