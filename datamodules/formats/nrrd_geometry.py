"""Where the header of an NRRD places its axes: in the patient, in time, or among the parts of a voxel."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from datamodules.formats.errors import DataError
from datamodules.formats.itk_geometry import LPS_TO_RAS, Matrix, doubt, place, spatial_axes
from datamodules.formats.itk_text import counts, floats, shown

_VECTOR = re.compile(r"none|\([^()]*\)")
_SIGNS = {"right-anterior-superior": (1, 1), "left-anterior-superior": (-1, 1), "left-posterior-superior": (-1, -1)}
_SHORT = {"ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"} | {
    "rast": "right-anterior-superior-time",
    "last": "left-anterior-superior-time",
    "lpst": "left-posterior-superior-time",
}
# spaces whose relation to the patient is not known
_UNPLACED = ("scanner-xyz", "3d-right-handed", "3d-left-handed")
_IN_PATIENT = ("domain", "space")
_PARTS = (
    *("list", "point", "vector", "covariant-vector", "normal", "stub", "scalar", "2-vector", "3-color", "rgb-color"),
    *("4-color", "rgba-color", "3-vector", "3-gradient", "3-normal", "4-vector"),
)
_UNKNOWN = ("none", "???")
_REMEDY = "mend the geometry in the header, or export the file again"


def geometry(path: Path, values: dict[str, str], axes: int, *, strict: bool | None) -> tuple[Matrix, list[int]]:
    """Return the affine in RAS+ mm, and the two or three stored axes that it places.

    Args:
        path: The file, for messages.
        values: The fields of the header.
        axes: How many axes are stored.
        strict: Refuse what is otherwise only warned of; None passes over it.

    Raises:
        DataError: The geometry cannot be true, or is in another unit than millimetres.
    """
    kinds = _kinds(path, values, axes)
    if "space directions" not in values:
        return _by_spacings(path, values, kinds, strict=strict)
    if "spacings" in values and np.isfinite(floats(path, "spacings", values["spacings"], axes)).any():
        raise DataError(path, "space directions or spacings", "both", _REMEDY)
    dimensions, to_ras = _space(path, values, strict=strict)
    vectors = _vectors(path, "space directions", values["space directions"], dimensions)
    if len(vectors) != axes:
        raise DataError(path, f"space directions of {axes} axes", f"{len(vectors)}", _REMEDY)
    placed = [axis for axis, vector in enumerate(vectors) if vector is not None]
    for kind, vector in zip(kinds, vectors, strict=True):
        if kind in (_IN_PATIENT if vector is None else _PARTS):
            expected = f"{'a' if vector is None else 'no'} direction of an axis of kind {kind!r}"
            raise DataError(path, expected, shown(values["space directions"]), _REMEDY)
    steps = np.array([vectors[axis] for axis in placed], dtype=np.float64).reshape(-1, dimensions).T
    spatial = spatial_axes(path, steps)
    origin = _origin(path, values, dimensions, strict=strict)
    return place(path, steps, origin, to_ras, spatial), [placed[axis] for axis in spatial]


def _kinds(path: Path, values: dict[str, str], axes: int) -> list[str]:
    """Return what each axis counts; unknown ones as "none"."""
    kinds = values.get("kinds", "none " * axes).lower().split()
    known = (*_IN_PATIENT, "time", *_PARTS, *_UNKNOWN)
    if len(kinds) != axes or not set(kinds) <= set(known):
        remedy = "convert it to a volume of scalars or vectors"
        raise DataError(path, f"kinds of {axes} axes, each one of {', '.join(known)}", shown(" ".join(kinds)), remedy)
    return kinds


def _space(path: Path, values: dict[str, str], *, strict: bool | None) -> tuple[int, Matrix]:
    """Return the dimensions of the space that directions are given in, and its matrix to RAS+ mm."""
    _check_units(path, values)
    space = values.get("space", "").lower()
    if space:
        space = _SHORT.get(space, space)
        timeless = space.removesuffix("-time")
        if timeless not in (*_SIGNS, *_UNPLACED):
            expected = f"a space of {', '.join((*_SIGNS, *_UNPLACED))}, or one of them with -time"
            raise DataError(path, expected, shown(space), _REMEDY)
        dimensions = 3 if space == timeless else 4
    else:
        dimensions = counts(path, "space dimension", values.get("space dimension", ""), 1)[0]
        timeless = ""
    if not 2 <= dimensions <= 4:
        raise DataError(path, "a space of 2, 3 or 4 dimensions", str(dimensions), _REMEDY)
    if "space dimension" in values and counts(path, "space dimension", values["space dimension"], 1) != [dimensions]:
        raise DataError(path, f"space dimension {dimensions}", shown(values["space dimension"]), _REMEDY)
    if timeless in _SIGNS:
        return dimensions, np.diag([*_SIGNS[timeless], 1.0, 1.0])
    if dimensions > 2:  # a plane of its own has no place in a patient to be in doubt of
        found = f"{space or 'an unnamed space'}; it is read as left-posterior-superior, left and right may be swapped"
        doubt(path, "a space of named directions in the patient", found, strict=strict)
    return dimensions, LPS_TO_RAS


def _check_units(path: Path, values: dict[str, str]) -> None:
    """Refuse a unit of length other than millimetres; an axis of another kind has any unit, or none."""
    units = re.findall(r'"([^"]*)"', values.get("space units", ""))[:3]
    units += re.findall(r'"([^"]*)"', values.get("units", "")) if "space directions" not in values else []
    others = [unit for unit in units if unit.lower() in ("m", "cm", "um", "µm", "nm", "km", "in", "inch", "micron")]
    if others:
        raise DataError(path, "spacing in millimetres", others[0], "convert the header's geometry to millimetres")


def _origin(path: Path, values: dict[str, str], dimensions: int, *, strict: bool | None) -> list[float]:
    if "space origin" not in values:
        doubt(path, "a space origin", "none; 0 is used, the position is not known", strict=strict)
        return [0.0] * dimensions
    vectors = _vectors(path, "space origin", values["space origin"], dimensions)
    if len(vectors) != 1 or vectors[0] is None:
        raise DataError(path, "one space origin", shown(values["space origin"]), _REMEDY)
    return vectors[0]


def _vectors(path: Path, field: str, text: str, dimensions: int) -> list[list[float] | None]:
    """Return vectors such as "(1,0,0)", None for "none"."""
    if _VECTOR.sub("", text).strip():
        raise DataError(path, f"{field}: vectors in brackets, or none", shown(text), _REMEDY)
    words = _VECTOR.findall(text)
    return [None if w == "none" else floats(path, field, w[1:-1].replace(",", " "), dimensions) for w in words]


def _by_spacings(
    path: Path, values: dict[str, str], kinds: list[str], *, strict: bool | None
) -> tuple[Matrix, list[int]]:
    """Return geometry from spacings alone, or from nothing, as ITK reads it: along the axes of LPS, from 0."""
    if "axis mins" in values or "axis maxs" in values or "space origin" in values:
        found = "axis mins, axis maxs or a space origin without them"
        raise DataError(path, "space directions and space origin", found, "save it with 3D Slicer or SimpleITK")
    _check_units(path, values)
    spacings = floats(path, "spacings", values.get("spacings", "nan " * len(kinds)), len(kinds))
    parts = (*_PARTS, "time")
    spatial = [axis for axis, spacing in enumerate(spacings) if np.isfinite(spacing) and kinds[axis] not in parts]
    if "spacings" not in values:
        # without a word on any axis, the first three lie in the patient, as in NIfTI
        named = [axis for axis, kind in enumerate(kinds) if kind in _IN_PATIENT]
        spatial = named or [axis for axis, kind in enumerate(kinds) if kind in _UNKNOWN][:3]
    if not 2 <= len(spatial) <= 3:
        remedy = "convert it to a 2-D or 3-D volume with space directions"
        raise DataError(path, "two or three axes in the patient", f"{len(spatial)} by spacings and kinds", remedy)
    found = "spacings alone; left and right may be swapped" if "spacings" in values else "none; 1 mm is used"
    doubt(path, "space directions", found, strict=strict)
    steps = np.zeros((3, len(spatial)))
    steps[range(len(spatial)), range(len(spatial))] = [spacings[a] if "spacings" in values else 1.0 for a in spatial]
    return place(path, steps, [0.0] * 3, LPS_TO_RAS, list(range(len(spatial)))), spatial
