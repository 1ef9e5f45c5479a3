"""On which grid volumes are shown to the network: crop, target spacing, two or three dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.integrity.facts import CaseFacts
from datamodules.preprocessing import Crop
from datamodules.resampling import output_shape
from pipeline.planning.fingerprint import Fingerprint, Triple
from pipeline.planning.noted import Noted
from pipeline.planning.quantities import size_text

_COARSE = 3.0  # times the spacing of the other axes, and a third of their voxels: nnU-Net's rule
_FINE_PERCENTILE = 10.0
_WORTH_CROPPING = 0.9  # of the volume that may be left, that a crop is worth its while
_FLAT_SPACING = 10.0  # times: neighbours in such a stack of slices show other things
_FLAT_SLICES = 4
_FEW_SLICES = 3.0  # that a structure spans, under which slices are learned one by one
_STEP = 1.02  # by which a spacing is made coarser at a time


@dataclass(frozen=True)
class GridChoice:
    """The grid of the network's input.

    Args:
        crop: What is cut away before.
        spacing_mm: Target spacing, or "native".
        shape: Median shape of the cases on it.
        voxel_mm: Spacing of a typical voxel on it.
        dims: 2 or 3.
        dims_reason: Why.
    """

    crop: Noted
    spacing_mm: Noted
    shape: tuple[int, int, int]
    voxel_mm: Triple
    dims: int
    dims_reason: str

    @property
    def anisotropy(self) -> float:
        """Return the coarsest spacing over the finest, of the axes with more than one voxel."""
        used = [mm for mm, size in zip(self.voxel_mm, self.shape, strict=True) if size > 1]
        return max(used) / min(used) if used else 1.0


def choose_grid(fingerprint: Fingerprint, cases: Sequence[CaseFacts], intensities: Sequence[str]) -> GridChoice:
    """Choose crop, spacing and dimensions from what was read of the cases.

    Args:
        fingerprint: Of all of them.
        cases: Each of them.
        intensities: The scheme of each channel.
    """
    crop = _choose_crop(fingerprint, intensities)
    spacings = np.array([case.spacing_mm for case in cases])
    if _is_flat(fingerprint) and not fingerprint.directed:
        spacing = Noted("native", "images without a stated size of their pixels stay as they are")
        voxel = _numbers(np.median(spacings, axis=0))
    else:
        voxel, words = target_spacing(spacings, np.array([_kept_shape(case, crop.value) for case in cases]))
        spacing = Noted(list(voxel), words)
    shape = median_shape(cases, crop.value, None if spacing.value == "native" else voxel)
    dims, reason = _choose_dims(shape, voxel, _slices(fingerprint, voxel), stated=spacing.value != "native")
    if dims == 2 and spacing.value != "native":
        voxel, spacing = _flat_spacing(spacings, single=shape[2] == 1)
        shape = median_shape(cases, crop.value, None if spacing.value == "native" else voxel)
    return GridChoice(crop, spacing, shape, voxel, dims, reason)


def coarsened(grid: GridChoice, cases: Sequence[CaseFacts], voxels: float) -> GridChoice:
    """Return a coarser grid on which the median volume has no more than so many voxels.

    Finer axes go first until they are within two times of the coarsest, then all alike, as in nnU-Net's cascade.

    Args:
        grid: The grid to start from.
        cases: What was read.
        voxels: That are wanted at most.
    """
    spacing = np.array(grid.voxel_mm)
    crop = grid.crop.value
    extent = np.array(grid.shape) * spacing
    while float(np.prod(extent / spacing)) > voxels:
        fine = spacing.max() / spacing > 2.0
        spacing = np.where(fine, spacing * _STEP, spacing) if fine.any() else spacing * _STEP
    voxel = _numbers(spacing)
    return GridChoice(
        grid.crop, Noted(list(voxel), ""), median_shape(cases, crop, voxel), voxel, grid.dims, grid.dims_reason
    )


def target_spacing(spacings: NDArray[np.float64], shapes: NDArray[np.float64]) -> tuple[Triple, str]:
    """Return the spacing to which all cases are brought, and why.

    Args:
        spacings: Of each case, [n, 3] in mm.
        shapes: Of each case, [n, 3].

    Source: Isensee et al. 2021, nnU-Net, supplementary note 2: the median, and on a coarse axis the 10th percentile.
    """
    target, size = np.median(spacings, axis=0), np.median(shapes, axis=0)
    worst = int(np.argmax(target))
    others = [axis for axis in range(3) if axis != worst]
    reason = "median of the cases" if np.ptp(spacings, axis=0).max() > 1e-3 else "that of all cases"
    if target[worst] > _COARSE * target[others].max() and size[worst] * _COARSE < size[others].min():
        finer = float(np.percentile(spacings[:, worst], _FINE_PERCENTILE))
        target[worst] = max(finer, float(target[others].max()))
        reason += (
            f"; on the coarse axis {'xyz'[worst]} the 10th percentile, so that thin slices lose little to interpolation"
        )
    return _numbers(target), f"in mm; {reason}"


def median_shape(cases: Sequence[CaseFacts], crop: Crop, spacing_mm: Triple | None) -> tuple[int, int, int]:
    """Return the median shape of the cases after a crop, at a spacing or as they are."""
    shapes = [_kept_shape(case, crop) for case in cases]
    if spacing_mm is not None:
        shapes = [output_shape(kept, case.spacing_mm, spacing_mm) for kept, case in zip(shapes, cases, strict=True)]
    x, y, z = (max(1, round(float(size))) for size in np.median(shapes, axis=0))
    return x, y, z


def prepared_shapes(cases: Mapping[str, CaseFacts], grid: GridChoice) -> dict[str, tuple[int, int, int]]:
    """Return the shape of each case as the network sees it."""
    native = grid.spacing_mm.value == "native"
    kept = {name: _kept_shape(case, grid.crop.value) for name, case in cases.items()}
    return {
        name: shape if native else output_shape(shape, cases[name].spacing_mm, grid.voxel_mm)
        for name, shape in kept.items()
    }


def structure_edges(fingerprint: Fingerprint, grid: GridChoice) -> tuple[float, ...]:
    """Return the extent in voxels, by axis, that shows each structure of a median case."""
    extents = [found.extent_mm for found in fingerprint.structures.values() if found.cases]
    widest = np.max(extents, axis=0) if extents else np.zeros(3)
    return tuple(float(edge) for edge in widest / np.array(grid.voxel_mm))[: grid.dims]


def _kept_shape(case: CaseFacts, crop: Crop) -> tuple[int, int, int]:
    return {"none": case.shape, "nonzero": case.nonzero_shape, "air": case.air_shape}[crop]


def _choose_crop(fingerprint: Fingerprint, intensities: Sequence[str]) -> Noted:
    name = "air" if intensities[0] == "ct" else "nonzero"
    share = fingerprint.cropped[name]
    words = {"air": "denser than air", "nonzero": "not 0"}[name]
    if share <= _WORTH_CROPPING:
        return Noted(name, f"the box of what is {words} is {share:.0%} of a median volume")
    return Noted("none", f"the box of what is {words} is {share:.0%} of a median volume: nothing to gain")


def _is_flat(fingerprint: Fingerprint) -> bool:
    return fingerprint.shape_range[1][2] == 1


def _slices(fingerprint: Fingerprint, voxel_mm: Triple) -> float:
    """Return how many slices the structures span, as a median."""
    extents = [found.extent_mm[2] for found in fingerprint.structures.values() if found.cases]
    return float(np.median(extents)) / voxel_mm[2] if extents else 0.0


def _flat_spacing(spacings: NDArray[np.float64], *, single: bool) -> tuple[Triple, Noted]:
    """Return the spacing of slices that are learned one by one: none is made up between two others."""
    voxel = _numbers(np.median(spacings, axis=0))
    if np.ptp(spacings[:, :2], axis=0).max() <= 1e-3:
        return voxel, Noted(
            "native", f"all cases have pixels of {size_text(voxel[:2])} mm, and slices stay as they are"
        )
    reason = "in mm; median of the cases"
    if np.ptp(spacings[:, 2]) > 1e-3 and not single:
        low, high = spacings[:, 2].min(), spacings[:, 2].max()
        reason += (
            f"; slices lie {low:.4g} to {high:.4g} mm apart, and those of most cases stay as they are: the others are "
            "interpolated, as a spacing holds for all axes"
        )
    elif not single:
        reason += ", along z that of all cases, so that no slice is made up between two others"
    return voxel, Noted(list(voxel), reason)


def _choose_dims(shape: tuple[int, int, int], voxel_mm: Triple, slices: float, *, stated: bool) -> tuple[int, str]:
    if shape[2] == 1:
        return 2, "the images are single slices"
    ratio = voxel_mm[2] / max(voxel_mm[:2])
    if min(shape[:2]) > 1 and shape[2] < _FLAT_SLICES:
        return 2, f"{shape[2]} slices are too few to learn what one tells of the next"
    words = f"slices lie {ratio:.0f} times as far apart as pixels"
    if min(shape[:2]) > 1 and ratio > _FLAT_SPACING:
        if slices < _FEW_SLICES:
            return 2, f"{words}, and structures span {slices:.1f} of them"
        return 3, f"{words}, but structures span {slices:.1f} of them"
    if min(shape) == 1:
        return 3, f"slices across {'xyz'[shape.index(1)]}: kernels and steps along it are 1"
    if max(voxel_mm) / min(voxel_mm) > 2:
        return (
            3,
            f"on the coarse axis of {size_text(voxel_mm)} mm kernels and steps are 1 until the others are as coarse",
        )
    return 3, f"{shape[2]} slices, voxels of {size_text(voxel_mm)} {'mm' if stated else 'pixels'}"


def _numbers(values: NDArray[np.float64]) -> Triple:
    x, y, z = (round(float(value), 4) for value in values)
    return x, y, z
