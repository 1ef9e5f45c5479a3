"""Leeds Sports Pose and its extended training set: `joints.mat` and a folder of images.

The two sets differ: LSP (Johnson and Everingham, BMVC 2010) stores 3 x 14 x N and a third row that is 1 where a joint
is occluded; all joints are labelled. LSP Extended (CVPR 2011) stores 14 x 3 x N and a third row that is 1 where a
joint is visible; others have no position. Coordinates are taken as they are: the extended set's fit the images with a
pixel's centre at its integer.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.annotations.matlab import read_matrix
from datamodules.annotations.subjects import LARGEST_PX, Annotations, FolderRank, Subject, joints
from datamodules.formats.errors import DataError
from datamodules.keypoints import OCCLUDED, UNLABELLED, VISIBLE

NAMES = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    *("neck", "head_top"),
)
_LIMBS = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (12, 13)]
_LIMBS += [(2, 3), (8, 9), (8, 12), (9, 12)]
EDGES = tuple((NAMES[a], NAMES[b]) for a, b in _LIMBS)
FILE = "joints.mat"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_SHAPES = "a matrix `joints` of 14 x 3 x N or 3 x 14 x N numbers"


def read_joints(path: Path) -> NDArray[np.float64]:
    """Return the matrix `joints` as it is stored, [14, 3, N] or [3, 14, N].

    Raises:
        DataError: If there is no such matrix.
    """
    matrix = read_matrix(path, "joints")
    if matrix.ndim != 3 or set(matrix.shape[:2]) != {3, len(NAMES)}:
        raise DataError(path, _SHAPES, str(list(matrix.shape)), "save it again in one of these shapes")
    return matrix


def read_lsp(path: Path) -> Annotations:
    """Read the people of `joints.mat`, one for each image of images/ in the order of the sorted names.

    Raises:
        DataError: If the matrix is not as stated, or images and people differ in number or order.
    """
    table, extended = _joints(path)
    folder = path.parent / "images" if (path.parent / "images").is_dir() else path.parent
    images = _images(folder, path, len(table))
    subjects = []
    for image, person in zip(images, table, strict=True):
        flags = person[:, 2]
        labels = np.where(flags == 1, *((VISIBLE, UNLABELLED) if extended else (OCCLUDED, VISIBLE)))
        place = f"the joints of {image}"
        if not (np.abs(person[labels != UNLABELLED]) < LARGEST_PX).all():
            raise DataError(path, "finite coordinates of labelled joints", f"others in {place}", "mend the matrix")
        points, visibility = joints(person[:, :2], labels)
        if visibility.any():
            subjects.append(Subject(image=image, place=place, points=points, visibility=visibility))
    return Annotations(
        source=path,
        names=NAMES,
        subjects=tuple(subjects),
        ranks=(FolderRank((folder,)),),
        edges=EDGES,
        edges_from="of the format",
        origins=_origins(extended, len(images) - len(subjects)),
    )


def _origins(extended: bool, left_out: int) -> tuple[str, ...]:
    flags = "14 x 3 x N as in LSP Extended: third row 1 is visible, 0 is unlabelled"
    if not extended:
        flags = "3 x 14 x N as in LSP: third row 1 is occluded, 0 is visible"
    skipped = (f"images left out, without any labelled joint: {left_out}",) if left_out else ()
    return ("joint names: the 14 of LSP, whose file names none", f"visibility: {flags}", *skipped)


def _joints(path: Path) -> tuple[NDArray[np.float64], bool]:
    """Return x, y and flag [N, 14, 3], and whether the flags are those of LSP Extended."""
    matrix = read_joints(path)
    extended = matrix.shape[0] == len(NAMES)
    table = matrix.transpose((2, 0, 1) if extended else (2, 1, 0))
    wrong = np.argwhere(~np.isin(table[:, :, 2], (0, 1)))
    if len(wrong):
        person, joint = wrong[0]
        found = f"{table[person, joint, 2]:g} for joint {joint + 1} of person {person + 1}"
        raise DataError(path, "0 or 1 in the third row", found, "mend the matrix")
    return table, extended


def _images(folder: Path, source: Path, count: int) -> list[str]:
    names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))
    if len(names) != count:
        raise DataError(
            folder,
            expected=f"{count} images, one for each person of {source.name}",
            found=str(len(names)),
            remedy="lay there the images of the set, and no others",
        )
    numbers = [int(digits[-1]) for name in names if (digits := re.findall(r"\d+", Path(name).stem))]
    if len(numbers) == count and len({re.sub(r"\d+", "", name) for name in names}) == 1 and numbers != sorted(numbers):
        raise DataError(
            folder,
            expected="names that sort as their numbers do, as the matrix has no other order",
            found=", ".join(names[:5]),
            remedy="pad the numbers with zeros, as in im0001.jpg",
        )
    return names
