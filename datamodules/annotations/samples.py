"""Subjects of a file to samples: images found, ids given, groups set."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from datamodules.annotations.images import find_images
from datamodules.annotations.subjects import Annotations, Subject
from datamodules.formats.errors import DataError
from datamodules.groups import search_group
from datamodules.keypoints import PoseSample

# Bytes of an id: what is written under it bears a suffix and must stay below the 255 of most file systems.
_LONGEST = 160
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f]')


def make_samples(annotations: Annotations, group_pattern: str | None) -> tuple[tuple[PoseSample, ...], tuple[str, ...]]:
    """Give every subject its image, id and group, in the order of the images' paths.

    Returns:
        The samples, and where images and groups come from, each in a sentence.

    Raises:
        DataError: If images are missing, or the pattern finds no group in a name.
    """
    if not annotations.subjects:
        raise DataError(
            annotations.source,
            expected="at least one subject with a labelled joint",
            found="none",
            remedy="label some, or name another file as data.root",
        )
    found = find_images(
        list(dict.fromkeys(subject.image for subject in annotations.subjects)), annotations.ranks, annotations.source
    )
    subjects = sorted(annotations.subjects, key=lambda subject: found.short[subject.image])
    images = [found.short[subject.image] for subject in subjects]
    ids = _ids(images)
    groups, groups_from = _groups(subjects, ids, images, group_pattern)
    samples = tuple(
        PoseSample(
            id=id_,
            group=group,
            image=found.files[subject.image],
            keypoints=subject.points,
            visibility=subject.visibility,
            box=subject.box,
            head_size_px=subject.head_size_px,
            area_px=subject.area_px,
        )
        for subject, id_, group in zip(subjects, ids, groups, strict=True)
    )
    return samples, (found.origin, groups_from)


def _ids(images: Sequence[str]) -> list[str]:
    """Name subjects by their images; further ones of an image, and names that are taken, get a number."""
    taken: set[str] = set()
    of_image = {image: _free(_safe(image), taken) for image in dict.fromkeys(images)}
    seen: set[str] = set()
    ids = []
    for image in images:
        ids.append(_free(of_image[image], taken) if image in seen else of_image[image])
        seen.add(image)
    return ids


def _free(name: str, taken: set[str]) -> str:
    """Claim a name that differs from all taken ones by more than case, as some file systems know no case."""
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free.casefold())
    return free


def _safe(image: str) -> str:
    """Return an image's path without its suffix as one name that every file system takes."""
    path = PurePosixPath(image)
    parts = [part for part in path.with_suffix("").parts if part not in ("..", "/")]
    if len(parts) > 1 and parts[0] in ("images", "labeled-data"):
        parts = parts[1:]
    name = unicodedata.normalize("NFC", _UNSAFE.sub("_", "_".join(parts)).strip(" .")) or "image"
    encoded = name.encode()
    if len(encoded) <= _LONGEST:
        return name
    return encoded[: _LONGEST - 9].decode(errors="ignore") + "~" + hashlib.sha256(encoded).hexdigest()[:8]


def _groups(
    subjects: Sequence[Subject], ids: Sequence[str], images: Sequence[str], pattern: str | None
) -> tuple[list[str], str]:
    if pattern is not None:
        found = [search_group(pattern, names, names[1]) for names in zip(ids, images, strict=True)]
        return found, f"groups: {_counted(found)} by data.split.group_pattern"
    videos = [subject.video for subject in subjects]
    if None not in videos and len(set(videos)) > 1:
        return [str(video) for video in videos], f"groups: {_counted(videos)}, one for each video"
    return list(images), (
        f"groups: {_counted(images)}, one for each image, as no two videos are told apart; "
        "data.split.group_pattern sets them"
    )


def _counted(groups: Iterable[str | None]) -> int:
    return len(set(groups))
