"""What a reader of annotations hands over: subjects as they are written in the file, and where names come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.keypoints import UNLABELLED, Box

LARGEST_PX = 1e9  # of a coordinate; what is larger, NaN or infinite is no position
NamePairs = tuple[tuple[str, str], ...]


class FolderRank(NamedTuple):
    """Folders that images are looked for in with equal right."""

    folders: tuple[Path, ...]


@dataclass(frozen=True)
class Subject:
    """One annotated subject.

    Args:
        image: The image's path as it is written, with forward slashes.
        place: Where in the file it stands, for messages.
        points: x and y [K, 2] in pixels, a pixel's centre at integers; rows of unlabelled joints are zero.
        visibility: One of UNLABELLED, OCCLUDED, VISIBLE for each joint [K].
        box: x, y, width, height in the same coordinates.
        head_size_px: 0.6 of the head box's diagonal.
        area_px: The subject's area.
        video: The video that the image is a frame of, where the annotations tell.
    """

    image: str
    place: str
    points: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    box: Box | None = None
    head_size_px: float | None = None
    area_px: float | None = None
    video: str | None = None


@dataclass(frozen=True)
class Annotations:
    """What a file or project of annotations holds.

    Args:
        source: The file, for messages.
        names: Joint names.
        subjects: In the order of the file, each with at least one labelled joint.
        ranks: Where images are looked for, in this order.
        edges: Limbs by names, None where the format has no word on them.
        pairs: Left and right joints by names, None where the format has no word on them.
        edges_from: Where the limbs come from, if not from the file.
        origins: Where all that comes from, each in a sentence.
    """

    source: Path
    names: tuple[str, ...]
    subjects: tuple[Subject, ...]
    ranks: tuple[FolderRank, ...]
    edges: NamePairs | None = None
    pairs: NamePairs | None = None
    edges_from: str | None = None
    origins: tuple[str, ...] = ()


def joints(points: NDArray[np.float64], visibility: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return points [K, 2] with rows of unlabelled joints set to zero, and visibility [K], in their stored types."""
    labelled = (visibility != UNLABELLED)[:, None]
    return np.where(labelled, points, 0.0).astype(np.float32), visibility.astype(np.uint8)


def folders_around(file: Path) -> tuple[FolderRank, ...]:
    """Return where the images of an annotation file may lie: beside it, in images/, in another folder beside it.

    A file in a folder that holds nothing but annotations has its images one folder up.
    """
    homes = [file.parent]
    if file.parent.name.lower() in ("annotations", "annotation", "annot", "labels"):
        homes.append(file.parent.parent)
    ranks = []
    for home in homes:
        others = sorted(path for path in home.iterdir() if path.is_dir() and path.name != "images")
        ranks += [FolderRank((home,)), FolderRank((home / "images",)), FolderRank(tuple(others))]
    return tuple(rank for rank in ranks if rank.folders)
