from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest


@pytest.fixture(scope="session")
def write_png() -> Callable[..., Path]:
    """Write a small image of one value, grey or of several colours."""

    def write(path: Path, value: int = 0, colours: int | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((6, 8) if colours is None else (6, 8, colours), value, np.uint8))
        return path

    return write


@pytest.fixture(scope="session")
def write_mask() -> Callable[..., Path]:
    """Write a NIfTI that holds the values in its first voxels, on a grid of 2 x 2 x 3 mm."""

    def write(path: Path, values: Sequence[int] = (1,)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        array = np.zeros((5, 6, 7), np.uint8)
        array.reshape(-1)[: len(values)] = values
        nib.save(nib.Nifti1Image(array, np.diag([2.0, 2.0, 3.0, 1.0])), path)
        return path

    return write
