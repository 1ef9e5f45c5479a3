"""What a NIfTI header claims, checked before any voxel is trusted."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.geometry import check_affine, check_spacing
from datamodules.formats.volume import AFFINE_TOLERANCE

logger = logging.getLogger(__name__)

SPACING_TOLERANCE = 1e-3  # relative; two spacings closer than this are the same
LONGEST_HEADER = 540  # bytes, of NIfTI-2
_HEADERS = {348: (nib.Nifti1Header, b"n+1"), 540: (nib.Nifti2Header, b"n+2")}
_REFETCH = "fetch or export the file again"


@dataclass(frozen=True)
class Layout:
    """Describe where the voxels lie in the file and what their numbers mean.

    Args:
        shape: The stored shape, 1 to 7 axes, first axis fastest.
        dtype: The stored type, with its byte order.
        offset: Bytes before the first voxel.
        slope: Factor on stored numbers; 1 for none.
        intercept: Added after the factor; 0 for none.
        affine: 4 x 4 matrix from voxel indices to RAS+ mm.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: NDArray[np.float64]

    @property
    def file_bytes(self) -> int:
        """Return the length that the whole file has when it is complete."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


def parse_header(path: Path, data: bytes, *, strict: bool = False) -> Layout:
    """Read and check the header at the start of a single-file NIfTI-1 or NIfTI-2.

    Args:
        path: The file, for messages.
        data: The file's bytes, decompressed.
        strict: Refuse what is otherwise only warned of: doubtful geometry.

    Raises:
        DataError: This is no NIfTI file, or its header cannot be true.
    """
    header = _load(path, data)
    shape = _shape(path, header)
    try:
        if int(header["datatype"]) not in nib.nifti1.data_type_codes.code:
            raise HeaderDataError(f"unknown data type {int(header['datatype'])}")
        dtype = header.get_data_dtype()
        offset = float(header["vox_offset"])
        slope, intercept = header.get_slope_inter()  # a slope of 0, NaN or infinity comes back as None
    except (HeaderDataError, ValueError, OverflowError) as error:
        raise DataError(path, "a valid NIfTI header", str(error), _REFETCH) from error
    if dtype.kind not in "iuf":
        remedy = "convert the file to a scalar type"
        raise DataError(path, "integer or floating-point voxels", f"data type {dtype}", remedy)
    if not (offset >= header.sizeof_hdr and offset.is_integer()):
        raise DataError(path, "voxels after the header", f"a voxel offset of {offset}", _REFETCH)
    affine = _affine(path, header, shape, strict=strict)
    return Layout(
        shape,
        dtype,
        int(offset),
        1.0 if slope is None else slope,
        0.0 if slope is None else intercept,
        affine,
    )


def read_shape(path: Path, data: bytes) -> tuple[int, ...]:
    """Return the shape that the header at the start of a NIfTI file states.

    Raises:
        DataError: This is no NIfTI file, or its shape cannot be true.
    """
    return _shape(path, _load(path, data))


def _shape(path: Path, header: Any) -> tuple[int, ...]:  # noqa: ANN401
    """Return the sizes of the axes, of which there are as many as the first number says."""
    axes, *sizes = (int(size) for size in header["dim"])
    if not 1 <= axes <= len(sizes) or min(sizes[:axes]) < 1:
        raise DataError(path, "1 to 7 axes of at least one voxel", f"dim {[axes, *sizes]}", _REFETCH)
    return tuple(sizes[:axes])


def _load(path: Path, data: bytes) -> Any:  # noqa: ANN401 - nibabel's two header classes share no typed base
    """Return nibabel's header object if the magic numbers are those of NIfTI."""
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    sizes = {order: int.from_bytes(data[:4], order) for order in orders}
    order = next((order for order in orders if sizes[order] in _HEADERS), None)
    if order is None or len(data) < sizes[order]:
        found = f"{len(data)} bytes that begin with {data[:12]!r}"
        raise DataError(path, "a NIfTI header", found, "save the volume as NIfTI; the name alone does not make it one")
    header_class, magic = _HEADERS[sizes[order]]
    header = header_class(data[: sizes[order]], endianness=order, check=False)
    if bytes(header["magic"].item())[:3] != magic:
        found = f"magic {header['magic'].item()!r} (Analyze, or a header apart from its voxels)"
        raise DataError(path, "a single-file NIfTI", found, "convert it to one .nii or .nii.gz file")
    return header


def _affine(path: Path, header: Any, shape: tuple[int, ...], *, strict: bool) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the affine that the header means, after checking its spacing and its two forms."""
    check_spacing(path, [float(size) for size in header["pixdim"][1 : 1 + min(len(shape), 3)]], "pixdim")
    unit = int(header["xyzt_units"]) & 7
    if unit in (1, 3):  # 1 is metres, 3 is micrometres; 0, unknown, is millimetres by custom
        found = "metres" if unit == 1 else "micrometres"
        raise DataError(path, "spacing in millimetres", found, "convert the header's geometry to millimetres")
    pixdim = header["pixdim"]
    absent = np.arange(len(pixdim)) > len(shape)
    pixdim[absent & (pixdim == 0)] = 1  # the thickness of a plane, which has no neighbour
    pixdim[0] = pixdim[0] or 1  # the sign of the third axis, which the standard lets be 0
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
        affine = _best_form(path, header, strict=strict)
        check_affine(path, affine)
    return affine


def _best_form(path: Path, header: Any, *, strict: bool) -> NDArray[np.float64]:  # noqa: ANN401
    """Choose between sform, qform and the bare spacing, and say so where they disagree."""
    sform_code, qform_code = (max(0, int(header[name])) for name in ("sform_code", "qform_code"))
    sform = np.asarray(header.get_sform(), dtype=np.float64)
    if sform_code == 0 and qform_code == 0:
        _doubt(
            path,
            "a sform or qform",
            "neither; the spacing alone is used, left and right may be swapped",
            strict=strict,
        )
        return np.asarray(header.get_base_affine(), dtype=np.float64)
    if qform_code == 0:
        _compare_spacing(path, header, sform, strict=strict)
        return sform
    try:
        qform = np.asarray(header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError) as error:
        if sform_code == 0:
            raise DataError(path, "a valid qform", str(error), "mend the header's geometry") from error
        _doubt(path, "a valid qform", f"{error}; the sform is used", strict=strict)
        return sform
    if sform_code == 0:
        return qform
    tolerance = np.full((4, 4), AFFINE_TOLERANCE)
    if abs(header.get_qform_quaternion()[0]) < 1e-2:
        # near half turns the real part, sqrt(1 - b^2 - c^2 - d^2) of float32 numbers, keeps not even three digits
        tolerance[:3, :3] += 2e-3 * np.linalg.norm(sform[:3, :3], axis=0)
    difference = float(np.abs(sform - qform).max())
    if not (np.abs(sform - qform) <= tolerance).all():
        _doubt(
            path,
            "sform equal to qform",
            f"a difference of {difference:.4g} mm; the sform is used",
            strict=strict,
        )
    return sform


def _compare_spacing(path: Path, header: Any, sform: NDArray[np.float64], *, strict: bool) -> None:  # noqa: ANN401
    """Say so where the columns of a sform are longer or shorter than the spacing, which some readers go by."""
    axes = min(int(header["dim"][0]), 3)
    stated = np.abs(header["pixdim"][1 : 1 + axes].astype(np.float64))
    found = np.linalg.norm(sform[:3, :axes], axis=0)
    if not (np.abs(found - stated) <= SPACING_TOLERANCE * stated).all():
        _doubt(
            path,
            f"a sform with the spacing of pixdim, {stated.round(4).tolist()} mm",
            f"{found.round(4).tolist()} mm; the sform is used",
            strict=strict,
        )


def _doubt(path: Path, expected: str, found: str, *, strict: bool) -> None:
    """Warn about geometry that may be wrong, or refuse it."""
    if strict:
        raise DataError(path, expected, found, "mend the header's geometry or run without --strict")
    logger.warning("%s: expected %s, found %s", path, expected, found)
