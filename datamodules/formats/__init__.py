"""Volumes in files and folders: which formats are known, reading them, and writing labels and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats import dicom, image, metaimage, nifti, nrrd, stack
from datamodules.formats.base import ReadOptions, VolumeFormat, is_named
from datamodules.formats.dicom.images import dicom_files
from datamodules.formats.errors import DataError
from datamodules.formats.label_values import smallest_type
from datamodules.formats.stated_spacing import REMEDY
from datamodules.formats.volume import Volume, stack_channels

# the first that claims a path reads it, and the first that has a suffix writes it
FORMATS: tuple[VolumeFormat, ...] = (nifti, nrrd, metaimage, stack, image, dicom)
SUFFIXES = tuple(dict.fromkeys(suffix for entry in FORMATS for suffix in entry.suffixes))

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "DataError",
    "ReadOptions",
    "Volume",
    "VolumeFormat",
    "format_of",
    "is_volume_file",
    "read_labels",
    "read_volume",
    "stack_channels",
    "stored_shape",
    "strip_suffix",
    "suffix_of",
    "volume_files",
    "volume_name",
    "write_labels",
    "write_scores",
]

_PLAIN = ReadOptions()


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


def volume_name(path: Path) -> str:
    """Return the name of a volume: that of a folder, or of a file without its suffix.

    Raises:
        DataError: A file's suffix is not one of SUFFIXES.
    """
    return path.name if path.is_dir() else strip_suffix(path)


def is_volume_file(path: Path) -> bool:
    """Tell whether the name is that of a volume or image file; hidden files are none."""
    return not path.name.startswith(".") and is_named(path, SUFFIXES)


def format_of(path: Path, options: ReadOptions = _PLAIN) -> VolumeFormat:
    """Return the format that claims a file or folder as one volume.

    Raises:
        DataError: None does.
    """
    for entry in (dicom, *FORMATS) if path.is_dir() else FORMATS:  # a series may have pictures of it beside its files
        if entry.claims(path, options):
            return entry
    if path.is_dir():
        if next(dicom_files(path), None) is not None:  # archives spread the files of a series over folders
            return dicom
        raise DataError(path, "a DICOM series or slices with stated spacing", "another folder", f"for slices {REMEDY}")
    suffix_of(path)
    names = ", ".join(entry.name for entry in FORMATS)
    raise DataError(path, f"a volume ({names})", "another file under the name", "fetch or convert it again")


def read_volume(path: Path, options: ReadOptions = _PLAIN) -> Volume:
    """Read an image volume to float32.

    Args:
        path: A file with one of SUFFIXES, or a folder that is one volume.
        options: What to take of it, and how.

    Returns:
        A volume [1, X, Y, Z]; the colours of an image, or all volumes of a 4-D file where they are asked for, are
        channels [C, X, Y, Z].

    Raises:
        DataError: The file is damaged or not what its name says; see the formats.
    """
    return format_of(path, options).read(path, options)


def read_labels(path: Path, options: ReadOptions = _PLAIN) -> Volume:
    """Read a label volume to an integer type.

    Args:
        path: A file with one of SUFFIXES, or a folder that is one volume.
        options: What to take of it, and how.

    Returns:
        A volume [1, X, Y, Z], or [K, X, Y, Z] from a 4-D file of K overlapping structures.

    Raises:
        DataError: A value is not an integer, or the file is damaged.
    """
    return format_of(path, options).read_labels(path, options)


def stored_shape(path: Path) -> tuple[int, ...] | None:
    """Return the shape that a NIfTI's header states; None where a label map has no need of it, as for images.

    Raises:
        DataError: The header cannot be read.
    """
    return None if path.is_dir() else _by_suffix(path).stored_shape(path)


def volume_files(path: Path, options: ReadOptions = _PLAIN) -> list[Path]:
    """Return all files that a volume's voxels and geometry come from, sorted.

    Raises:
        DataError: No format claims the path.
    """
    return format_of(path, options).files(path, options)


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
    _by_suffix(path).write_labels(path, smallest_type(path, array), affine, shape)


def write_scores(path: Path, array: NDArray[np.float32], affine: NDArray[np.float64]) -> None:
    """Write scores [K, X, Y, Z] atomically as float32, to NIfTI as [X, Y, Z, K], with Z = 1 for a 2-D image.

    Raises:
        DataError: The suffix is that of a format that cannot hold scores.
    """
    _by_suffix(path).write_scores(path, array.astype(np.float32, copy=False), affine)


def _by_suffix(path: Path) -> VolumeFormat:
    """Return the format that a file's name stands for."""
    suffix = suffix_of(path).lower()
    return next(entry for entry in FORMATS if suffix in entry.suffixes)
