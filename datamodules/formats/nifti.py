"""NIfTI files: read to the last byte before anything is trusted, written whole or not at all."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from datamodules.formats.atomic import write_atomically
from datamodules.formats.errors import DataError
from datamodules.formats.nifti_header import Layout, parse_header
from datamodules.formats.volume import AFFINE_TOLERANCE

SUFFIXES = (".nii.gz", ".nii")
_COMPRESSION = 1  # labels shrink a hundredfold at any level; the higher levels cost only time
_GZIP_MAGIC = b"\x1f\x8b"
_TRUNCATED = "fetch or export the file again: it was cut short or damaged"


def read(path: Path, *, strict: bool = False) -> tuple[NDArray[Any], NDArray[np.float64], tuple[float, float]]:
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
    data = _content(path)
    layout = parse_header(path, data, strict=strict)
    if len(data) != layout.file_bytes:
        extra = len(data) - layout.file_bytes
        found = f"{abs(extra)} bytes {'too many' if extra > 0 else 'missing'}"
        expected = f"{layout.file_bytes} bytes for shape {layout.shape} of {layout.dtype}"
        raise DataError(path, expected, found, _TRUNCATED)
    return _voxels(data, layout), layout.affine, (layout.slope, layout.intercept)


def read_shape(path: Path) -> tuple[int, ...]:
    """Return the stored shape of a file that was read before, from its header alone.

    Raises:
        DataError: The header cannot be read.
    """
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            block = stream.read(nib.Nifti2Header.sizeof_hdr)
        kind = nib.Nifti2Header if nib.Nifti2Header.may_contain_header(block) else nib.Nifti1Header
        return tuple(int(size) for size in kind(block[: kind.sizeof_hdr], check=False).get_data_shape())
    except (EOFError, OSError, zlib.error, HeaderDataError, WrapStructError) as error:
        raise DataError(path, "a NIfTI header", str(error), _TRUNCATED) from error


def pick_volume(path: Path, array: NDArray[Any], index: int | None) -> NDArray[Any]:
    """Reduce [X, Y, Z, ...] to [X, Y, Z]: squeeze axes of size 1 behind the third, or take one volume.

    Raises:
        DataError: Several volumes and no index, or an index that is not there.
    """
    volumes = math.prod(array.shape[3:])
    if index is None and volumes != 1:
        found = f"shape {array.shape}: {volumes} volumes"
        raise DataError(path, "one 3-D volume", found, f"choose one with --volume 0 to {volumes - 1}")
    if index is not None and not 0 <= index < volumes:
        raise DataError(path, f"--volume from 0 to {volumes - 1}", f"--volume {index}", "choose one that exists")
    volume: NDArray[Any] = all_volumes(array)[index or 0]
    return volume


def all_volumes(array: NDArray[Any]) -> NDArray[Any]:
    """Return [X, Y, Z, ...] as [C, X, Y, Z], the fourth axis fastest."""
    return np.moveaxis(array.reshape((*array.shape[:3], -1), order="F"), -1, 0)


def scaled(array: NDArray[Any], scaling: tuple[float, float]) -> NDArray[np.float32]:
    """Apply slope and intercept once, to float32."""
    if scaling == (1.0, 0.0):
        return array.astype(np.float32)
    # float32 holds every 16-bit number exactly; wider ones are scaled in float64 before they are rounded
    if array.dtype.itemsize <= 2:
        return array.astype(np.float32) * np.float32(scaling[0]) + np.float32(scaling[1])
    return (array.astype(np.float64) * scaling[0] + scaling[1]).astype(np.float32)


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


def _content(path: Path) -> bytes:
    """Return the file's bytes; a gzip stream is read to its end, which tests its checksum and length."""
    data = path.read_bytes()
    if not data:
        raise DataError(path, "a NIfTI file", "an empty file", _TRUNCATED)
    is_gzip = data[:2] == _GZIP_MAGIC
    if not path.name.lower().endswith(".gz"):
        if is_gzip:
            raise DataError(path, "an uncompressed NIfTI", "a gzip stream", "rename it to end in .nii.gz")
        return data
    if not is_gzip:
        found = f"bytes that begin with {data[:12]!r}"
        raise DataError(path, "a gzip stream", found, "rename it to .nii if it is not compressed, else fetch it again")
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(path, "an undamaged gzip stream", str(error), _TRUNCATED) from error


def _voxels(data: bytes, layout: Layout) -> NDArray[Any]:
    """View the voxels as [X, Y, Z, ...], native byte order, with missing axes added."""
    flat = np.frombuffer(data, dtype=layout.dtype, offset=layout.offset)
    native = flat.astype(layout.dtype.newbyteorder("="), copy=False)
    return native.reshape(layout.shape + (1,) * (3 - len(layout.shape)), order="F")
