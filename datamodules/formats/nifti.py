"""NIfTI files: read to the last byte before anything is trusted, written whole or not at all."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import write_atomically
from datamodules.formats.base import ReadOptions, is_named
from datamodules.formats.errors import DataError
from datamodules.formats.label_values import whole_numbers
from datamodules.formats.nifti_content import read_content, read_start
from datamodules.formats.nifti_header import Layout, read_shape
from datamodules.formats.volume import AFFINE_TOLERANCE, Volume
from datamodules.formats.volumes import all_volumes, pick_volume, scaled

name = "NIfTI"
suffixes = (".nii.gz", ".nii")
_COMPRESSION = 1  # labels shrink a hundredfold at any level; the higher levels cost only time


def claims(path: Path, _: ReadOptions) -> bool:
    """Tell by its name whether a file is NIfTI."""
    return is_named(path, suffixes) and not path.is_dir()


def read(path: Path, options: ReadOptions) -> Volume:
    """Read a volume to float32, scaled.

    Returns:
        A volume [1, X, Y, Z], or [C, X, Y, Z] of all volumes of a 4-D file, where `options.all_volumes` is set.

    Raises:
        DataError: The file is damaged, or holds several volumes and none was chosen.
    """
    array, affine, scaling = read_stored(path, strict=options.strict)
    chosen = all_volumes(array) if options.all_volumes else pick_volume(path, array, options.volume_index)[None]
    return Volume(scaled(path, chosen, scaling, np.float32), affine, path)


def read_labels(path: Path, options: ReadOptions) -> Volume:
    """Read labels to an integer type: the volumes of a 4-D file are overlapping structures.

    Raises:
        DataError: The file is damaged, or a value is not an integer.
    """
    stored, affine, scaling = read_stored(path, strict=options.strict)
    if scaling != (1.0, 0.0):
        stored = scaled(path, stored, scaling, np.float64)
    return Volume(whole_numbers(path, all_volumes(stored)), affine, path)


def files(path: Path, _: ReadOptions) -> list[Path]:
    """Return the file itself."""
    return [path]


def read_stored(path: Path, *, strict: bool = False) -> tuple[NDArray[Any], NDArray[np.float64], tuple[float, float]]:
    """Read a NIfTI file whole: stored numbers, affine, and their scaling.

    Args:
        path: A `.nii` or `.nii.gz` file.
        strict: Refuse doubtful geometry instead of warning of it.

    Returns:
        The stored numbers [X, Y, Z, ...] (at least three axes, read-only), the affine [4, 4] in RAS+ mm,
        and slope and intercept, (1, 0) for none.

    Raises:
        DataError: The file is cut short, damaged, followed by other bytes, or no NIfTI.
    """
    data, layout = read_content(path, strict=strict)
    return _voxels(data, layout), layout.affine, (layout.slope, layout.intercept)


def stored_shape(path: Path) -> tuple[int, ...]:
    """Return the stored shape of a file that was read before, from its header alone.

    Raises:
        DataError: The header cannot be read.
    """
    return read_shape(path, read_start(path))


def write_labels(
    path: Path, array: NDArray[Any], affine: NDArray[np.float64], shape: tuple[int, ...] | None = None
) -> None:
    """Write a label map [X, Y, Z] in the stored shape of its image, or structures [K, X, Y, Z] as [X, Y, Z, K].

    Raises:
        DataError: An axis is longer than NIfTI-1 can say.
    """
    write(path, _as_stored(array, shape) if array.ndim == 3 else np.moveaxis(array, 0, -1), affine)


def write_scores(path: Path, array: NDArray[np.float32], affine: NDArray[np.float64]) -> None:
    """Write scores [K, X, Y, Z] as [X, Y, Z, K].

    Raises:
        DataError: An axis is longer than NIfTI-1 can say.
    """
    write(path, np.moveaxis(array, 0, -1), affine)


def write(path: Path, array: NDArray[Any], affine: NDArray[np.float64]) -> None:
    """Write [X, Y, Z] or [X, Y, Z, K] in its own shape and data type, without scaling, atomically.

    Args:
        path: A `.nii` or `.nii.gz` file in a folder that exists.
        array: uint8, uint16 or float32 voxels; one slice may leave out the third axis.
        affine: 4 x 4 matrix to RAS+ mm; stored as sform, and as qform where a qform can hold it.

    Raises:
        DataError: An axis is longer than NIfTI-1 can say.
        OSError: The file cannot be written; what was there before stays.
    """
    if max(array.shape) > np.iinfo(np.int16).max:
        remedy = "split the volume"
        raise DataError(path, "axes of at most 32767 voxels for NIfTI-1", f"shape {array.shape}", remedy)
    header = nib.Nifti1Header()
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape)
    header.set_xyzt_units("mm")
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    header["magic"], header["vox_offset"] = b"n+1", 352
    header.set_qform(affine, code=1)  # sets the spacing as well
    if np.abs(header.get_qform() - affine).max() > AFFINE_TOLERANCE:
        # a quaternion holds no shear, and in float32 few digits of a turn by nearly 180 degrees
        header["qform_code"] = 0
    header.set_sform(affine, code=1)
    voxels = np.asarray(array, dtype=array.dtype.newbyteorder("<")).tobytes(order="F")
    data = header.as_byteswapped("<").binaryblock + bytes(4) + voxels
    if path.name.lower().endswith(".gz"):
        data = gzip.compress(data, _COMPRESSION, mtime=0)  # no time stamp: equal labels are equal files
    write_atomically(path, data)


def _voxels(data: NDArray[np.uint8], layout: Layout) -> NDArray[Any]:
    """View the voxels as [X, Y, Z, ...], native byte order, with missing axes added."""
    flat = np.frombuffer(data, dtype=layout.dtype, offset=layout.offset)
    native = flat.astype(layout.dtype.newbyteorder("="), copy=False)
    return native.reshape(layout.shape + (1,) * (3 - len(layout.shape)), order="F")


def _as_stored(labels: NDArray[Any], shape: tuple[int, ...] | None) -> NDArray[Any]:
    """Return [X, Y, Z] with the axes of size 1 behind the last real one that the stored shape has."""
    padded = (*(shape or labels.shape), 1, 1)
    same = padded[:3] == labels.shape and math.prod(padded) == labels.size
    return labels.reshape(shape) if shape and same else labels
