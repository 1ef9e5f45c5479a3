"""From the geometry of NRRD and MetaImage headers to one affine in RAS+ mm."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.geometry import check_affine, check_spacing

logger = logging.getLogger(__name__)

Matrix = NDArray[np.float64]
_REMEDY = "mend the geometry in the header"
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def doubt(path: Path, expected: str, found: str, *, strict: bool | None) -> None:
    """Warn about geometry that may be wrong, or refuse it; None passes over it, where geometry is not asked for.

    Raises:
        DataError: `strict` is set.
    """
    if strict:
        raise DataError(path, expected, found, "mend the header's geometry or run without --strict")
    if strict is not None:
        logger.warning("%s: expected %s, found %s", path, expected, found)


def place(path: Path, steps: Matrix, origin: Sequence[float], to_ras: Matrix, spatial: list[int]) -> Matrix:
    """Return the affine in RAS+ mm of two or three axes in a space of two to four dimensions.

    A plane gets its normal as third axis, with a spacing of 1 mm. A fourth dimension is time, or whatever else the
    volumes differ by: it must not mix with the three of the patient.

    Args:
        path: The file, for messages.
        steps: One step along each axis, as columns [dimensions, axes].
        origin: The first voxel's centre [dimensions].
        to_ras: 4 x 4 matrix from the header's space to RAS+ mm.
        spatial: The columns of `steps` that are axes in the patient.

    Raises:
        DataError: The geometry cannot be true, see `check_affine`, or time is mixed with space.
    """
    used = steps[:, spatial]
    if used[3:].any():
        found = f"axes with a fourth coordinate, {used[3:].tolist()}"
        raise DataError(path, "axes within the patient's three dimensions", found, _REMEDY)
    dimensions = min(len(steps), 3)
    check_spacing(path, np.linalg.norm(used, axis=0).tolist(), "header")
    affine = np.eye(4)
    affine[:dimensions, : len(spatial)] = used[:3]
    affine[:dimensions, 3] = origin[:3]
    if len(spatial) == 2 and dimensions == 3:
        normal = np.cross(used[:3, 0], used[:3, 1])
        affine[:3, 2] = normal / max(float(np.linalg.norm(normal)), np.finfo(np.float64).tiny)
    affine = to_ras @ affine
    check_affine(path, affine)
    return affine + 0.0  # no negative zeros


def spatial_axes(path: Path, steps: Matrix) -> list[int]:
    """Return which axes, given as columns of steps, lie in the patient: all of two or three, three of four.

    Raises:
        DataError: There are not two or three.
    """
    axes = [axis for axis in range(steps.shape[1]) if not (len(steps) == 4 and _is_fourth(steps[:, axis]))]
    if not 2 <= len(axes) <= min(len(steps), 3):
        found = f"{len(axes)} in {len(steps)} dimensions"
        raise DataError(path, "two or three axes in the patient", found, "convert it to a 2-D or 3-D volume")
    return axes


def _is_fourth(step: Matrix) -> bool:
    return bool(step[3] != 0 and not step[:3].any())
