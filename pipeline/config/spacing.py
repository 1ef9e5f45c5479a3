"""The stated spacing of slices, as the command line gives it."""

import math
from collections.abc import Sequence

from pipeline.config.errors import UsageError


def stated_spacing(numbers: Sequence[float] | None) -> tuple[float, float, float] | None:
    """Return `--slice-spacing-mm` as spacing along X, Y and Z in mm.

    Raises:
        UsageError: There are not three finite numbers above 0.
    """
    if numbers is None:
        return None
    if len(numbers) != 3 or not all(0 < number < math.inf for number in numbers):
        found = " ".join(f"{number:g}" for number in numbers)
        raise UsageError(f"--slice-spacing-mm: expected three numbers above 0, along X, Y and Z, found {found}")
    x, y, z = numbers
    return x, y, z
