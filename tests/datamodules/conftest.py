import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SHAPE = (12, 10, 8)


def _write_volume(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([2.0, 2.0, 3.0, 1.0]) if affine is None else affine), path)
    return path


@pytest.fixture(scope="session")
def write_volume() -> Callable[..., Path]:
    """Write an array [X, Y, Z] with a spacing of 2 x 2 x 3 mm, unless an affine is given."""
    return _write_volume


@pytest.fixture(scope="session")
def write_dataset() -> Callable[..., Path]:
    """Write a data set in the nnU-Net raw layout, with a box labelled 1 and one labelled 2 in every case."""

    def write(root: Path, names: list[str], channels: int = 1) -> Path:
        for number, name in enumerate(names):
            rng = np.random.default_rng(number)
            label = np.zeros(SHAPE, np.uint8)
            label[2:6, 2:8, 2:6], label[7:10, 2:8, 2:6] = 1, 2
            for channel in range(channels):
                image = (rng.normal(size=SHAPE) * 10 + 100 * label).astype(np.int16)
                _write_volume(root / "imagesTr" / f"{name}_{channel:04d}.nii.gz", image)
            _write_volume(root / "labelsTr" / f"{name}.nii.gz", label)
        description = {
            "channel_names": {str(channel): f"C{channel}" for channel in range(channels)},
            "labels": {"background": 0, "left": 1, "right": 2},
            "numTraining": len(names),
            "file_ending": ".nii.gz",
        }
        (root / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
        return root

    return write
