"""The joints of a COCO file: which category counts, its names, limbs and pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from datamodules.annotations.subjects import NamePairs
from datamodules.formats.errors import DataError


def choose_names(
    path: Path, categories: Sequence[Any], used: AbstractSet[str]
) -> tuple[tuple[str, ...], Mapping[str, Any], str]:
    """Choose the joints that annotations speak of.

    Several categories count together if their joints are the same, as those of many species are.

    Args:
        path: The file, for messages.
        categories: All of its categories.
        used: Ids, as text, of the categories that bear labelled joints.

    Returns:
        Joint names, the first category that bears them, and a sentence that says which.

    Raises:
        DataError: If no category names its joints, or categories in use differ in joints.
    """
    chosen = [entry for entry in categories if isinstance(entry, dict) and str(entry.get("id")) in used]
    if unknown := used - {str(entry.get("id")) for entry in chosen}:
        found = f"category_id {', '.join(sorted(unknown)[:5])} in annotations, which is no category's"
        raise DataError(path, "a category for every annotation", found, "add it to `categories`")
    if not chosen:
        found = "none but crowds and empty ones"
        raise DataError(path, "annotations with keypoints", found, "label some, or name another file as data.root")
    joints = [_names(path, entry) for entry in chosen]
    if len(set(joints)) > 1:
        found = ", ".join(f"{_called(e)} ({len(names)} joints)" for e, names in zip(chosen, joints, strict=True))
        raise DataError(path, "one set of joints", found, "keep the annotations of one category in the file")
    which = ", ".join(_called(entry) for entry in chosen[:5]) + (" and others" if len(chosen) > 5 else "")
    return joints[0], chosen[0], f"joint names: {len(joints[0])} of category {which} in {path.name}"


def category_edges(path: Path, category: Mapping[str, Any], names: Sequence[str]) -> NamePairs:
    """Return the limbs of a category by names.

    The skeleton counts joints from 1; one with a joint 0 can but count from 0, and one of names is taken as it is.

    Raises:
        DataError: If it is no list, or an entry names no joint.
    """
    skeleton = category.get("skeleton")
    if skeleton is not None and not isinstance(skeleton, list):
        raise DataError(path, "a list of pairs of joints as skeleton", repr(skeleton)[:80], "mend the category")
    skeleton = [entry for entry in skeleton or () if entry not in (None, [])]
    if all(_is_pair(entry, str) for entry in skeleton):
        return tuple((str(first), str(second)) for first, second in skeleton)
    if not all(_is_pair(entry, int) for entry in skeleton):
        raise DataError(path, "pairs of joints as skeleton", str(skeleton)[:80], "mend the category")
    first = 0 if any(0 in entry for entry in skeleton) else 1
    wrong = [entry for entry in skeleton if not all(0 <= joint - first < len(names) for joint in entry)]
    if wrong:
        raise DataError(
            path,
            expected=f"joints from {first} to {len(names) - 1 + first} in skeleton",
            found=str(wrong[0]),
            remedy="mend the category",
        )
    return tuple((names[a - first], names[b - first]) for a, b in skeleton)


def category_pairs(category: Mapping[str, Any]) -> NamePairs | None:
    """Return left and right joints where a category names them under `keypoint_flip_map`, as detectron2 does."""
    pairs = category.get("keypoint_flip_map")
    if not isinstance(pairs, list) or not pairs or not all(_is_pair(pair, str) for pair in pairs):
        return None
    return tuple((str(left), str(right)) for left, right in pairs)


def _is_pair(entry: object, kind: type) -> bool:
    # by the exact type: true and false would else pass as the joints 1 and 0
    return isinstance(entry, list) and len(entry) == 2 and all(type(joint) is kind for joint in entry)


def _names(path: Path, category: Mapping[str, Any]) -> tuple[str, ...]:
    names = category.get("keypoints")
    remedy = "add the list of joint names as `keypoints` of the category"
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise DataError(path, f"joint names of category {_called(category)}", str(names), remedy)
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(path, f"different joint names in category {_called(category)}", ", ".join(doubles), "mend them")
    return tuple(names)


def _called(category: Mapping[str, Any]) -> str:
    return str(category.get("name", category.get("id")))
