"""Label values as integers: how they are read from other types, and stored in the smallest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError

_SHOWN = 5  # values that a message lists


def whole_numbers(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in an integer type.

    Raises:
        DataError: A value is not a whole number.
    """
    if array.dtype.kind in "iu":
        return array
    whole = np.isfinite(array) & (array == np.round(array)) & (np.abs(array) < 2**31)
    if not whole.all():
        values = np.unique(array[~whole])[:_SHOWN].tolist()
        remedy = "save the labels as integers; resample labels with nearest neighbour"
        raise DataError(path, "integer label values", f"values such as {values}", remedy)
    return array.astype(np.int32)


def grey_labels(path: Path, array: NDArray[Any], wanted: str) -> NDArray[Any]:
    """Return pixels [1, X, Y, Z] of labels in an integer type.

    Args:
        path: The file or folder, for messages.
        array: Pixels [C, X, Y, Z].
        wanted: What the labels should be saved as.

    Raises:
        DataError: There are colours, or a value is not a whole number.
    """
    if len(array) != 1:
        found = f"{len(array)} channels"
        raise DataError(path, "one channel of label values", found, f"save the labels as {wanted}")
    return whole_numbers(path, array)


def smallest_type(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Return labels as uint8, or as uint16 when a value is over 255.

    Raises:
        DataError: Values outside 0 to 65535, or of another type than integers.
    """
    lowest, highest = int(array.min(initial=0)), int(array.max(initial=0))
    if array.dtype.kind not in "iub" or lowest < 0 or highest > np.iinfo(np.uint16).max:
        found = f"{array.dtype} from {lowest} to {highest}"
        raise DataError(path, "integer labels from 0 to 65535", found, "map the labels to that range")
    return array.astype(np.uint8 if highest <= np.iinfo(np.uint8).max else np.uint16, copy=False)
