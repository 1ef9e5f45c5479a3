"""Slices put in their order along the normal, and the affine of the volume that they make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.dicom.frames import Slice
from datamodules.formats.errors import DataError
from datamodules.formats.geometry import check_affine

GAP_TOLERANCE = 0.01  # part of the spacing by which the distance of two slices may differ from it
SAME_PLACE_MM = 1e-3  # two slices closer than this along the normal lie in one place
_AGAIN = "export the series again, whole"
_NO_PLACE = "slices without a place in the patient make no volume: export them with it"
_TO_RAS = np.array([-1.0, -1.0, 1.0])


def heights(slices: Sequence[Slice]) -> NDArray[np.float64]:
    """Return each slice's position along the first one's normal, in mm.

    Raises:
        DataError: A slice has no place in the patient.
    """
    return _places(slices) @ _normal(slices[0])


def order_slices(slices: Sequence[Slice]) -> list[Slice]:
    """Sort slices by their position along the slice normal, whatever their names and numbers are.

    Args:
        slices: Frames of one size, orientation and pixel spacing.

    Raises:
        DataError: A slice has no place in the patient.
    """
    return [slices[index] for index in np.argsort(heights(slices), kind="stable")]


def affine_of(slices: Sequence[Slice]) -> NDArray[np.float64]:
    """Return the affine of ordered slices, sheared where the gantry is tilted.

    Args:
        slices: As order_slices returns them.

    Returns:
        A matrix [4, 4] from (column, row, slice) to RAS+ mm.

    Raises:
        DataError: A slice is missing or doubled, the distance varies by over 1 % of the spacing, the tilt
            changes, or a spacing is absurd.
    """
    first = slices[0]
    if first.spacing is None:
        remedy = "ImagerPixelSpacing, if there is one, is that of the detector; export the images with PixelSpacing"
        raise DataError(first.path, "a PixelSpacing", "none", remedy)
    row, column = _directions(first)
    columns = [row * first.spacing[1], column * first.spacing[0], _step(slices), _places(slices)[0]]
    affine = np.eye(4)
    affine[:3] = np.stack(columns, axis=1) * _TO_RAS[:, None] + 0.0  # + 0.0 makes -0 plain 0
    check_affine(first.path, affine)
    return affine


def _step(slices: Sequence[Slice]) -> NDArray[np.float64]:
    """Return the vector from a slice to the next, in LPS mm."""
    if len(slices) == 1:
        return _normal(slices[0]) * _stated_distance(slices[0])
    places, height = _places(slices), heights(slices)
    gaps = np.diff(height)
    for index in np.flatnonzero(gaps < SAME_PLACE_MM).tolist():
        found = f"two at {height[index]:.4g} mm: {_name(slices[index])} and {_name(slices[index + 1])}"
        raise DataError(slices[index].path, "one slice per position along the normal", found, "remove one of the two")
    spacing = float(np.median(gaps))
    for index in np.flatnonzero(np.abs(gaps - spacing) > GAP_TOLERANCE * spacing).tolist():
        found = (
            f"{gaps[index]:.6g} mm between {_name(slices[index])} at {height[index]:.6g} mm "
            f"and {_name(slices[index + 1])} at {height[index + 1]:.6g} mm along the normal"
        )
        raise DataError(slices[index].path, f"slices {spacing:.6g} mm apart within 1 %", found, _AGAIN)
    step: NDArray[np.float64] = (places[-1] - places[0]) / (len(slices) - 1)
    away = np.linalg.norm(places - places[0] - np.arange(len(slices))[:, None] * step, axis=1)
    if away.max() > GAP_TOLERANCE * spacing:
        worst = int(away.argmax())
        found = f"{_name(slices[worst])} {away[worst]:.4g} mm from its place between the first and the last"
        raise DataError(slices[worst].path, "slices evenly along one line, their tilt constant", found, _AGAIN)
    return step


def _stated_distance(one: Slice) -> float:
    """Return the third spacing of a single slice."""
    if one.thickness is None:
        remedy = "one slice takes its third spacing from the header: export it with its SliceThickness"
        raise DataError(one.path, "a SliceThickness or SpacingBetweenSlices", "none", remedy)
    return one.thickness


def _places(slices: Sequence[Slice]) -> NDArray[np.float64]:
    """Return the positions [n, 3] in LPS mm."""
    for one in slices:
        if one.position is None:
            raise DataError(one.path, "an ImagePositionPatient", "none", _NO_PLACE)
    return np.array([one.position for one in slices], dtype=np.float64)


def _directions(one: Slice) -> NDArray[np.float64]:
    """Return the directions of a row and of a column, [2, 3]."""
    if one.orientation is None:
        raise DataError(one.path, "an ImageOrientationPatient", "none", _NO_PLACE)
    return np.array(one.orientation, dtype=np.float64).reshape(2, 3)


def _normal(one: Slice) -> NDArray[np.float64]:
    """Return the unit vector along which slices follow each other."""
    normal = np.cross(*_directions(one))
    unit: NDArray[np.float64] = normal / np.linalg.norm(normal)
    return unit


def _name(one: Slice) -> str:
    """Name the file, and the frame of a file of several."""
    return f"{one.path.name} frame {one.frame + 1}" if one.frame else one.path.name
