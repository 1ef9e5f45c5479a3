"""A CT phantom in the nnU-Net raw layout, made from a seed when no data is at hand."""

from __future__ import annotations

import json
import multiprocessing
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from tqdm import tqdm

from datamodules.new_folder import new_folder
from datamodules.phantom_anatomy import LABELS, draw_anatomy
from datamodules.phantom_grid import SUPERSAMPLING, Affine, draw_grid, fine_points
from datamodules.phantom_painting import AIR_HU, paint_torso

VERSION = 1  # raise it when the same seed begins to give other voxels


def make_phantom(
    root: Path,
    *,
    cases: int = 24,
    seed: int = 0,
    shape: tuple[int, int, int] = (80, 64, 64),
    workers: int = 2,
) -> Path:
    """Write a folder of torso CTs in HU with six labelled structures, equal to the byte for equal seeds.

    Args:
        root: Folder to make; it must not exist. It appears whole or not at all.
        cases: Number of patients.
        seed: Number from which all shapes, grids and noise follow.
        shape: Voxels along right, anterior and superior; each case varies them by some 6 %.
        workers: Processes; 0 works in this one.

    Returns:
        The folder.

    Raises:
        DataError: If the folder exists already.
    """
    root = Path(root)
    with new_folder(root, "dataset.json", "CT phantom") as draft:
        for folder in ("imagesTr", "labelsTr"):
            (draft / folder).mkdir()
        _write_cases(draft, cases, seed, shape, workers)
        _write_description(draft, cases, seed, shape)
    return root


def make_case(
    index: int, seed: int, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8], Affine]:
    """Return one case's image in HU [X, Y, Z], its labels [X, Y, Z] and its affine to RAS+ mm."""
    rng = np.random.default_rng([VERSION, seed, index])
    anatomy = draw_anatomy(rng)
    grid = draw_grid(rng, shape)
    centre = grid.affine[:3, :3] @ (np.array(grid.shape) - 1) / 2 + grid.affine[:3, 3]
    image = np.empty(grid.shape, dtype=np.float32)
    label = np.empty(grid.shape, dtype=np.uint8)
    for start in range(0, grid.shape[0], 8):  # slabs fit the processor's cache
        slab = slice(start, min(start + 8, grid.shape[0]))
        x, y, z = fine_points(grid, slab, centre)
        canvas = paint_torso(anatomy, x, y, z)
        image[slab] = _pool(canvas.hu)
        label[slab] = _majority(canvas.label)
    # Noise of a reconstructed CT is correlated between neighbours.
    noise = ndimage.gaussian_filter(rng.standard_normal(grid.shape, dtype=np.float32), 0.6)
    image += noise * np.float32(rng.uniform(10, 22) / noise.std())
    return np.clip(np.rint(image), AIR_HU - 24, 3071).astype(np.int16), label, grid.affine


def _pool(fine: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Average the points of each voxel: [s*X, s*Y, s*Z] to [X, Y, Z]."""
    s = SUPERSAMPLING
    x, y, z = (n // s for n in fine.shape)
    return np.asarray(fine.reshape(x, s, y, s, z, s).mean(axis=(1, 3, 5), dtype=np.float32))


def _majority(fine: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Give each voxel the label that most of its points have, the smaller value where two are equal."""
    shares = np.stack([_pool((fine == value).astype(np.float32)) for value in LABELS.values()])
    return np.asarray(shares.argmax(axis=0), dtype=np.uint8)


def _write_cases(root: Path, cases: int, seed: int, shape: tuple[int, int, int], workers: int) -> None:
    task = partial(_write_case, root=root, seed=seed, shape=shape)
    show = partial(tqdm, total=cases, desc="CT phantom", unit="case", disable=None)
    if workers < 1:
        deque(show(map(task, range(cases))), maxlen=0)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        deque(show(pool.map(task, range(cases))), maxlen=0)


def _write_case(index: int, *, root: Path, seed: int, shape: tuple[int, int, int]) -> None:
    image, label, affine = make_case(index, seed, shape)
    name = f"phantom_{index:03d}"
    for array, path in (
        (image, root / "imagesTr" / f"{name}_0000.nii.gz"),
        (label, root / "labelsTr" / f"{name}.nii.gz"),
    ):
        nifti = nibabel.Nifti1Image(array, affine)
        nifti.header.set_xyzt_units("mm")
        nifti.set_qform(affine, code=1)
        nifti.set_sform(affine, code=1)
        nibabel.save(nifti, path)


def _write_description(root: Path, cases: int, seed: int, shape: tuple[int, int, int]) -> None:
    description = {
        "channel_names": {"0": "CT"},
        "labels": LABELS,
        "numTraining": cases,
        "file_ending": ".nii.gz",
        "description": "Synthetic torso CT in HU; no patient's data",
        "phantom": {"version": VERSION, "seed": seed, "shape": list(shape)},
    }
    (root / "dataset.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
