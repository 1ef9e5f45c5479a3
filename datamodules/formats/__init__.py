"""Volume files: which ones are known, reading them, and writing labels and scores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats import image, nifti
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume, stack_channels

SUFFIXES = nifti.SUFFIXES + image.SUFFIXES

__all__ = [
    "SUFFIXES",
    "DataError",
    "Volume",
    "is_volume_file",
    "read_channels",
    "read_labels",
    "read_volume",
    "stack_channels",
    "stored_shape",
    "strip_suffix",
    "suffix_of",
    "write_labels",
    "write_scores",
]


def suffix_of(path: Path) -> str:
    """Return the known suffix that the name ends with, as it is spelt there, ".nii.gz" in one piece.

    Raises:
        DataError: The suffix is not one of SUFFIXES.
    """
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[-len(suffix) :]
    raise DataError(path, f"a name ending in one of {', '.join(SUFFIXES)}", path.name, "convert the file")


def strip_suffix(path: Path) -> str:
    """Return the file name without its known suffix: "a.b.nii.gz" gives "a.b"."""
    return path.name[: -len(suffix_of(path))]


def is_volume_file(path: Path) -> bool:
    """Tell whether the name is that of a volume or image file; hidden files are none."""
    name = path.name.lower()
    return not name.startswith(".") and any(name.endswith(s) and name != s for s in SUFFIXES)


def read_volume(path: Path, *, volume_index: int | None = None, strict: bool = False) -> Volume:
    """Read an image volume to float32.

    Args:
        path: A file with one of SUFFIXES.
        volume_index: Which volume of a 4-D file, or page of a TIFF.
        strict: Refuse doubtful geometry instead of warning of it.

    Returns:
        A volume [1, X, Y, Z], or [3, X, Y, 1] for a colour image.

    Raises:
        DataError: The file is damaged or not what its name says; see the formats.
    """
    if suffix_of(path).lower() in image.SUFFIXES:
        return Volume(image.read(path, volume_index).astype(np.float32), np.eye(4), path)
    array, affine, scaling = nifti.read(path, strict=strict)
    return Volume(nifti.scaled(nifti.pick_volume(path, array, volume_index), scaling)[None], affine, path)


def read_channels(path: Path, *, strict: bool = False) -> Volume:
    """Read all volumes of a file to float32, each as a channel, decompressing it once.

    Args:
        path: A file with one of SUFFIXES.
        strict: Refuse doubtful geometry instead of warning of it.

    Returns:
        A volume [C, X, Y, Z] with the volumes of a 4-D NIfTI, or the colours of an image.

    Raises:
        DataError: The file is damaged or not what its name says; see the formats.
    """
    if suffix_of(path).lower() in image.SUFFIXES:
        return read_volume(path)
    array, affine, scaling = nifti.read(path, strict=strict)
    return Volume(nifti.scaled(nifti.all_volumes(array), scaling), affine, path)


def stored_shape(path: Path) -> tuple[int, ...] | None:
    """Return the shape that a NIfTI's header states; None for an image, which is always two-dimensional.

    Raises:
        DataError: The header cannot be read.
    """
    return None if suffix_of(path).lower() in image.SUFFIXES else nifti.read_shape(path)


def read_labels(path: Path, *, strict: bool = False) -> Volume:
    """Read a label volume to an integer type.

    Args:
        path: A file with one of SUFFIXES.
        strict: Refuse doubtful geometry instead of warning of it.

    Returns:
        A volume [1, X, Y, Z], or [K, X, Y, Z] from a 4-D file of K overlapping structures.

    Raises:
        DataError: A value is not an integer, or the file is damaged.
    """
    if suffix_of(path).lower() in image.SUFFIXES:
        array = image.read(path)
        if len(array) != 1:
            found = f"{len(array)} channels"
            raise DataError(path, "one channel of label values", found, "save the labels as a grey image")
        return Volume(_integers(path, array), np.eye(4), path)
    stored, affine, scaling = nifti.read(path, strict=strict)
    if scaling != (1.0, 0.0):
        stored = nifti.scaled(stored, scaling)
    return Volume(_integers(path, nifti.all_volumes(stored)), affine, path)


def write_labels(
    path: Path, array: NDArray[Any], affine: NDArray[np.float64], *, shape: tuple[int, ...] | None = None
) -> None:
    """Write label values atomically as uint8, or uint16 when a value is over 255.

    A label map takes the stored shape of its image where that is the same voxels, as [X, Y], [X, Y, Z] or
    [X, Y, Z, 1]; the map of an image of several volumes is [X, Y, Z]. Masks of overlapping structures are
    always [X, Y, Z, K], with Z = 1 for a 2-D image.

    Args:
        path: The suffix chooses the format; the folder exists.
        array: Integers [X, Y, Z], or [K, X, Y, Z] for overlapping structures (4-D NIfTI, structures last).
        affine: 4 x 4 matrix to RAS+ mm; an image file has no place for it.
        shape: The stored shape of the image that a label map [X, Y, Z] belongs to, where it is known.

    Raises:
        DataError: Values outside 0 to 65535, or a shape that the format cannot hold.
    """
    lowest, highest = int(array.min(initial=0)), int(array.max(initial=0))
    if array.dtype.kind not in "iub" or lowest < 0 or highest > np.iinfo(np.uint16).max:
        found = f"{array.dtype} from {lowest} to {highest}"
        raise DataError(path, "integer labels from 0 to 65535", found, "map the labels to that range")
    labels = array.astype(np.uint8 if highest <= np.iinfo(np.uint8).max else np.uint16, copy=False)
    if suffix_of(path).lower() in image.SUFFIXES:
        image.write(path, labels)
    else:
        nifti.write(path, _as_stored(labels, shape) if labels.ndim == 3 else np.moveaxis(labels, 0, -1), affine)


def write_scores(path: Path, array: NDArray[np.float32], affine: NDArray[np.float64]) -> None:
    """Write scores [K, X, Y, Z] atomically as a float32 NIfTI [X, Y, Z, K], with Z = 1 for a 2-D image.

    Raises:
        DataError: The suffix is that of an image file, which cannot hold scores.
    """
    if suffix_of(path).lower() in image.SUFFIXES:
        raise DataError(path, "a NIfTI name for scores", path.name, "write scores to a .nii.gz file")
    nifti.write(path, np.moveaxis(array, 0, -1).astype(np.float32, copy=False), affine)


def _as_stored(labels: NDArray[Any], shape: tuple[int, ...] | None) -> NDArray[Any]:
    """Return [X, Y, Z] with the axes of size 1 behind the last real one that the stored shape has."""
    padded = (*(shape or labels.shape), 1, 1)
    same = padded[:3] == labels.shape and math.prod(padded) == labels.size
    return labels.reshape(shape) if shape and same else labels


def _integers(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in an integer type, or refuse what is not whole numbers."""
    if array.dtype.kind in "iu":
        return array
    whole = np.isfinite(array) & (array == np.round(array)) & (np.abs(array) < 2**31)
    if not whole.all():
        values = np.unique(array[~whole])[:5].tolist()
        remedy = "save the labels as integers; resample labels with nearest neighbour"
        raise DataError(path, "integer label values", f"values such as {values}", remedy)
    return array.astype(np.int32)
