"""What to do where a patch shows only a small part of a volume."""

from __future__ import annotations

import math
from collections.abc import Sequence

from datamodules.integrity.facts import CaseFacts
from pipeline.planning.fingerprint import Fingerprint
from pipeline.planning.grid_choice import GridChoice, coarsened
from pipeline.planning.noted import Noted
from pipeline.planning.quantities import size_text

LEAST_SHARE = 0.25  # of a median volume that a patch should show: nnU-Net's bound for a second stage
AIM = 0.28  # so that it still does once the patch is rounded to whole steps
_LEAST_EDGE, _LEAST_VOXELS = 4.0, 100.0  # of a structure that is still to be outlined


def share_seen(patch: Sequence[int], grid: GridChoice) -> float:
    """Return the part of a median volume that a patch shows."""
    pairs = zip(patch, grid.shape, strict=False)
    return math.prod(min(1.0, mine / theirs) for mine, theirs in pairs)


def consider_coarser(
    grid: GridChoice,
    patch: Sequence[int],
    fingerprint: Fingerprint,
    cases: Sequence[CaseFacts],
    voxels: float | None = None,
) -> tuple[GridChoice | None, str]:
    """Return a coarser grid where that is better, and what is to be said of it.

    It is better where the patch then shows a quarter of a median volume, and the least of the structures is still
    four voxels wide along every axis and holds a hundred voxels.

    Args:
        grid: The grid as planned.
        patch: What fits memory and time on it.
        fingerprint: Of the data set.
        cases: What was read.
        voxels: Of a median volume on the coarser grid; by default so many that the same patch shows a quarter.
    """
    share = share_seen(patch, grid)
    told = _told(share)
    coarser = coarsened(grid, cases, voxels or math.prod(patch) / AIM)
    if lost := _lost(coarser, fingerprint):
        reason = f"The spacing stays {size_text(grid.voxel_mm)} mm, as at {size_text(coarser.voxel_mm)} mm {lost}"
        return None, f"{told}. {reason}"
    reason = (
        f"the spacing is made coarser, {size_text(coarser.voxel_mm)} for {size_text(grid.voxel_mm)} mm, until a patch "
        f"shows a quarter: what is finer than that is given up, and outlines are as coarse"
    )
    spacing = Noted(list(coarser.voxel_mm), f"In mm. {told}. Therefore {reason}")
    changed = GridChoice(
        grid.crop, spacing, coarser.shape, coarser.voxel_mm, grid.dims, f"{grid.dims_reason}; seen more coarsely"
    )
    return changed, f"{told}. Therefore {reason}"


def not_coarser(grid: GridChoice, patch: Sequence[int]) -> str:
    """Return what is to be said where a coarser grid was tried and its patch shows no more."""
    reason = f"the spacing stays {size_text(grid.voxel_mm)} mm, as a coarser one shows no more"
    return f"{_told(share_seen(patch, grid))}; {reason}"


def too_little_seen(grid: GridChoice, patch: Sequence[int], bound: str) -> str:
    """Return what is to be said where time, or an image's size in 2-D, leaves a patch small.

    Args:
        grid: The grid as planned.
        patch: What was chosen on it.
        bound: What keeps a larger patch out, "memory" or "time".
    """
    share = percent(share_seen(patch, grid))
    if grid.dims == 2:
        return f"A patch shows {share} of a median image, for want of {bound}: farther things are not seen together"
    return f"{_told(share_seen(patch, grid))}; memory has room for more, but a step's time has not, so give more --time"


def percent(share: float) -> str:
    """Return a share in percent, with a decimal where it is small."""
    return f"{share:.1%}" if share < 0.01 else f"{share:.0%}"


def _told(share: float) -> str:
    return (
        f"A patch shows {percent(share)} of a median volume, under a quarter, so that far parts are never seen "
        "together; coarse-to-fine would need a second network, which there is none of here"
    )


def _lost(grid: GridChoice, fingerprint: Fingerprint) -> str:
    """Return what a grid is too coarse for, "" for nothing."""
    voxel = math.prod(grid.voxel_mm)
    for name, found in fingerprint.structures.items():
        if not found.cases:
            continue
        edge = min(extent / mm for extent, mm in zip(found.extent_mm, grid.voxel_mm, strict=True))
        if edge < _LEAST_EDGE:
            return f"{name} would be {edge:.1f} voxels wide"
        if found.volume_mm3 / voxel < _LEAST_VOXELS:
            return f"{name} would hold {found.volume_mm3 / voxel:.0f} voxels"
    return ""
