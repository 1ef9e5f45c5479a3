"""Which random changes a data set of volumes bears: mirrors, angles, deformations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any

from datamodules.checks import refuse_mirrored_sides
from datamodules.formats.errors import DataError
from datamodules.integrity.facts import CaseFacts
from pipeline.planning.fingerprint import Fingerprint
from pipeline.planning.grid_choice import GridChoice
from pipeline.planning.noted import Noted

_ANISOTROPIC = 3.0  # from this ratio of spacings on a turned voxel is a mixture of slices
_SMALL_ANGLE, _USUAL_ANGLE = 10.0, 30.0  # degrees
_ALIKE_VOLUME = 1.5  # two sides of a body hold about as much
_LISTED = 3  # pairs that are named
_SAME_SIDE_SHARE = 0.9  # of the cases in which one lies left of the other


def choose_augmentation(
    fingerprint: Fingerprint, cases: Mapping[str, CaseFacts], names: Sequence[str], grid: GridChoice
) -> dict[str, Any]:
    """Return the settings of `data.augmentation` that differ from its defaults or need a reason.

    Args:
        fingerprint: Of the data set.
        cases: What was read of each case.
        names: Of the structures.
        grid: On which the network sees them.
    """
    sides = _side_reason(names, list(cases.values()), fingerprint)
    if not fingerprint.directed and grid.dims == 2 and sides is None:
        return {
            "rotation_p": Noted(0.5, "a default: every second patch is turned"),
            "rotation_degrees": Noted(180, "images without an upright; lower it if yours have one"),
            "elastic_p": Noted(0.2, "a default for images without directions: the U-Net paper's own augmentation"),
            "mirror_axes": Noted([0, 1], "the files tell no left and right, and no two labels are sides of one thing"),
        }
    chosen: dict[str, Any] = {"rotation_degrees": _rotation(grid)}
    if sides is not None:
        chosen["mirror_axes"] = Noted([], sides)
    elif fingerprint.directed:
        reason = "no labels are sides of one thing; front and back, up and down are told apart by anatomy"
        chosen["mirror_axes"] = Noted([0], reason)
    else:
        chosen["mirror_axes"] = Noted([0, 1, 2][: grid.dims], "the files tell no directions, and no labels are sides")
    return chosen


def _rotation(grid: GridChoice) -> Noted:
    if grid.dims == 3 and min(grid.shape) == 1:
        return Noted(0, "an axis of one voxel cannot be turned about another")
    if grid.dims == 3 and grid.anisotropy >= _ANISOTROPIC:
        reason = f"slices lie {grid.anisotropy:.1f} times as far apart as voxels; turned further they would mix"
        return Noted(_SMALL_ANGLE, reason)
    return Noted(_USUAL_ANGLE, "voxels are nearly cubes" if grid.dims == 3 else "a default for slices")


def _side_reason(names: Sequence[str], cases: Sequence[CaseFacts], fingerprint: Fingerprint) -> str | None:
    """Return why left and right must not be exchanged, None where they may."""
    try:
        refuse_mirrored_sides(names, [0])
    except DataError as refusal:
        return f"{refusal.expected.removeprefix('no axis 0 (left-right) ')}: left and right are different labels"
    pairs: list[tuple[str, str]] = []
    for pair in combinations(names, 2) if fingerprint.directed else ():
        taken = {name for each in pairs for name in each}
        if not taken.intersection(pair) and _look_like_sides(*pair, cases):
            pairs.append(pair)
    if pairs:
        listed = ", ".join(" and ".join(pair) for pair in pairs[:_LISTED])
        listed += f" and {len(pairs) - _LISTED} more pairs" if len(pairs) > _LISTED else ""
        return f"{listed} lie left and right of each other and are about as large: taken for sides; [0] if they are not"
    return None


def _look_like_sides(first: str, second: str, cases: Sequence[CaseFacts]) -> bool:
    """Tell whether two structures lie beside each other along X, always the same way, and are about as large."""
    both = [case for case in cases if case.voxel_counts.get(first) and case.voxel_counts.get(second)]
    if len(both) < 2:
        return False
    ratio = median(case.voxel_counts[first] / case.voxel_counts[second] for case in both)
    if not 1 / _ALIKE_VOLUME <= ratio <= _ALIKE_VOLUME:
        return False
    gaps = [_gap(case, first, second) for case in both]
    beside = [across for across, others in gaps if abs(across) > others]
    left = sum(across > 0 for across in beside)
    return max(left, len(beside) - left) >= _SAME_SIDE_SHARE * len(both)


def _gap(case: CaseFacts, first: str, second: str) -> tuple[float, float]:
    """Return the distance in mm of two structures' centres along X, and the longer of those along Y and Z."""
    boxes = case.structures[first].box, case.structures[second].box
    assert boxes[0] is not None
    assert boxes[1] is not None
    apart = [
        mm * ((a[0] + a[1]) - (b[0] + b[1])) / 2 for mm, a, b in zip(case.spacing_mm, boxes[0], boxes[1], strict=True)
    ]
    return apart[0], max(abs(apart[1]), abs(apart[2]))
