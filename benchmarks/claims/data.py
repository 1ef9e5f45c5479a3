"""A real task in 2-D: membrane or cell at the centre of a patch of an electron micrograph."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PATCH = 32  # pixels along a side; the labelled one is at (16, 16)
_MEMBRANE = 128  # grey values of a mask below it are membrane


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches [B, 1, 32, 32] and the class at their centres [B], 1 for membrane."""

    image: Tensor
    label: Tensor


class Slices:
    """Slices from which patches are drawn, half of them membrane.

    Args:
        images: Grey values [N, H, W].
        membranes: Where membrane is [N, H, W].

    Source: Ciresan et al. 2012, Deep Neural Networks Segment Neuronal Membranes in Electron Microscopy Images,
    section 2: a network tells the class of a window's central pixel, and both classes are drawn equally often.
    """

    def __init__(self, images: NDArray[Any], membranes: NDArray[np.bool_]) -> None:
        grey = images.astype(np.float32)
        grey -= grey.mean(axis=(1, 2), keepdims=True)
        grey /= grey.std(axis=(1, 2), keepdims=True) + 1e-6
        half = PATCH // 2
        padded = np.pad(grey, ((0, 0), (half, half - 1), (half, half - 1)), mode="reflect")
        self._windows = np.lib.stride_tricks.sliding_window_view(padded, (PATCH, PATCH), axis=(1, 2))
        self._places = [np.flatnonzero(membranes == membrane) for membrane in (False, True)]
        self._shape = membranes.shape

    def __len__(self) -> int:
        return int(self._shape[0])

    def draw(self, count: int, seed: int | tuple[int, ...]) -> Batch:
        """Return patches of which every second is membrane; the same ones for the same seed."""
        source = np.random.default_rng(seed)
        label = np.arange(count) % 2
        chosen = np.array([source.choice(self._places[kind]) for kind in label])
        image = self._windows[np.unravel_index(chosen, self._shape)]
        return Batch(torch.from_numpy(np.ascontiguousarray(image[:, None])), torch.from_numpy(label))


def find_data(given: Path | None) -> Path:
    """Return the folder with `images/` and `masks/`.

    Args:
        given: Folder named by the user; else `em_membranes` of `PIPELINE_SHARED_DATA` or of `../shared/data`.

    Raises:
        FileNotFoundError: If it is not there; says what was expected where.
    """
    shared = os.environ.get("PIPELINE_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data"
    folder = given or Path(shared) / "em_membranes"
    for part in ("images", "masks"):
        if not any((folder / part).glob("*.png")):
            raise FileNotFoundError(
                f"{folder}: expected {part}/*.png of the ISBI 2012 membranes, found none; name their folder with --data"
            )
    return folder


def load_slices(folder: Path) -> tuple[Slices, Slices]:
    """Return slices for training, and the last quarter of them, held out.

    Raises:
        ValueError: If there are too few slices, or an image and its mask do not fit.
    """
    names = sorted(path.name for path in (folder / "images").glob("*.png"))
    if len(names) < 2:
        raise ValueError(f"{folder}: expected two slices or more, found {len(names)}")
    images = [_read(folder / "images" / name) for name in names]
    masks = [_read(folder / "masks" / name) for name in names]
    for name, image, mask in zip(names, images, masks, strict=True):
        if image.shape != mask.shape or image.shape != images[0].shape:
            raise ValueError(f"{folder}: {name}: expected {images[0].shape}, found {image.shape} and {mask.shape}")
    grey, membranes = np.stack(images), np.stack(masks) < _MEMBRANE
    held_out = max(1, len(names) // 4)
    return Slices(grey[:-held_out], membranes[:-held_out]), Slices(grey[-held_out:], membranes[-held_out:])


def _read(path: Path) -> NDArray[Any]:
    array = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if array is None:
        raise ValueError(f"{path}: expected a grey PNG, found none that can be read")
    return np.asarray(array)
