"""What the tests of the benchmarks share: their folder on the path, and a small task like the real one."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # as `python benchmarks/residual_claims.py` does

from claims.data import load_slices  # noqa: E402
from claims.training import make_task  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Write dark lines on noise, as membranes are, with masks that are 0 there."""
    folder = tmp_path_factory.mktemp("em")
    source = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for index in range(4):
        mask = np.full((64, 64), 255, np.uint8)
        for place in source.integers(4, 60, 4):
            mask[place : place + 3] = 0
            mask[:, place : place + 3] = 0
        image = np.where(mask > 0, 180, 60) + source.normal(0, 5, mask.shape)
        cv2.imwrite(str(folder / "images" / f"{index}.png"), image.clip(0, 255).astype(np.uint8))
        cv2.imwrite(str(folder / "masks" / f"{index}.png"), mask)
    return folder


@pytest.fixture(scope="module")
def task(data):
    return make_task(*load_slices(data), 64, batch=16)
