"""The volumes of a file of more than three axes: one of them or all, with their numbers scaled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError


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


def scaled(
    path: Path, array: NDArray[Any], scaling: tuple[float, float], dtype: type[np.floating[Any]]
) -> NDArray[Any]:
    """Apply slope and intercept once, in float64, and return voxels of `dtype`.

    Args:
        path: The file, for messages.
        array: Stored numbers [C, X, Y, Z].
        scaling: Slope and intercept, (1, 0) for none.
        dtype: float32, or float64 for labels, which may be larger than float32 can count.

    Raises:
        DataError: A finite number becomes too large for the type.
    """
    result = np.empty_like(array, dtype=dtype)
    try:
        with np.errstate(over="raise", invalid="ignore"):
            for z in range(array.shape[-1]):  # slab by slab, so that float64 takes little memory
                slab = array[..., z]
                result[..., z] = slab if scaling == (1.0, 0.0) else slab.astype(np.float64) * scaling[0] + scaling[1]
    except FloatingPointError as error:
        found = f"larger ones, with slope {scaling[0]:g} and intercept {scaling[1]:g}"
        raise DataError(path, f"values within {np.dtype(dtype)}", found, "mend the header or the values") from error
    return result
