"""A volume: voxels, the affine that places them in the patient, and the file they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.geometry import Geometry

AFFINE_TOLERANCE = 1e-3  # mm; two geometries closer than this are the same


@dataclass(frozen=True, eq=False)
class Volume:
    """Hold voxels [C, X, Y, Z] and their affine; a 2-D image has Z = 1.

    Args:
        array: Voxels [C, X, Y, Z].
        affine: 4 x 4 float64 matrix from voxel indices to RAS+ millimetres.
        path: The file that the voxels were read from, for messages.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "affine", np.array(self.affine, dtype=np.float64))
        if self.array.ndim != 4:
            raise ValueError(f"{self.path}: a volume is [C, X, Y, Z], got shape {self.array.shape}")
        if self.affine.shape != (4, 4):
            raise ValueError(f"{self.path}: an affine is 4 x 4, got shape {self.affine.shape}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the spatial shape (X, Y, Z)."""
        x, y, z = self.array.shape[1:]
        return x, y, z

    @property
    def geometry(self) -> Geometry:
        """Return where the voxels lie."""
        return Geometry(self.shape, self.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Return the distance between voxel centres along each axis, in mm."""
        return self.geometry.spacing_mm

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """Return the position of the first voxel's centre, in RAS+ mm."""
        return self.geometry.origin_mm

    @property
    def orientation(self) -> str:
        """Return the anatomical direction that each axis points to, such as "RAS" or "LPI"."""
        return self.geometry.orientation


def stack_channels(volumes: Sequence[Volume]) -> Volume:
    """Join volumes on one grid along the channel axis.

    Args:
        volumes: One or more volumes of equal shape, and of equal affine within 1e-3.

    Returns:
        A volume [sum of C, X, Y, Z] with the first one's affine and path.

    Raises:
        DataError: A volume lies on another grid than the first one.
    """
    first = volumes[0]
    remedy = f"resample it onto the grid of {first.path}"
    for volume in volumes[1:]:
        if volume.shape != first.shape:
            raise DataError(volume.path, f"the shape {first.shape} of {first.path}", str(volume.shape), remedy)
        difference = volume.geometry.differs_by(first.geometry)
        if not difference <= AFFINE_TOLERANCE:
            expected = f"the affine of {first.path} within {AFFINE_TOLERANCE}"
            raise DataError(volume.path, expected, f"a difference of {difference:.4g}", remedy)
    if len(volumes) == 1:
        return first
    return Volume(np.concatenate([volume.array for volume in volumes]), first.affine, first.path)
