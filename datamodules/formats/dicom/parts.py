"""The parts of a series that are a volume each: orientations, sizes, echoes, time points, b-values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from datamodules.formats.dicom.frames import Slice
from datamodules.formats.dicom.geometry import SAME_PLACE_MM, heights

_SAME_DIRECTION = 1e-4  # difference of two direction cosines; 0.05 mm over a slice of 500 mm
_SAME_SPACING_MM = 1e-4


@dataclass(frozen=True)
class Part:
    """Hold the frames of one volume of a series, in no order yet.

    Args:
        name: What tells it from the other parts, such as "echo 2"; "" where it is the only one.
        slices: Its frames.
    """

    name: str
    slices: tuple[Slice, ...]

    def __str__(self) -> str:
        one = self.slices[0]
        size = f"{one.columns} x {one.rows} x {len(self.slices)}"
        return f"{self.name}, {size}" if self.name else size


def parts_of(slices: Iterable[Slice]) -> list[Part]:
    """Split the frames of a series into volumes, in a fixed order.

    Frames are told apart by size, orientation and pixel spacing. Where several lie in one place, they are told apart
    by that of echo, time, b-value, image type, stack and acquisition that leaves one per place in the fewest parts;
    where none of these does, they stay together and reading refuses the doubled slice. The order of the parts is
    that of their grids and marks, whatever the files are called.
    """
    parts = []
    groups = _by_grid(slices)
    for group in groups:
        name = _grid_name(group[0]) if len(groups) > 1 else ""
        for mark, members in _by_mark(group):
            parts.append(Part(", ".join(filter(None, (name, mark))), tuple(members)))
    return parts


def _by_grid(slices: Iterable[Slice]) -> list[list[Slice]]:
    """Group frames of equal size, orientation and pixel spacing."""
    groups: list[list[Slice]] = []
    for one in slices:
        for group in groups:
            if _same_grid(one, group[0]):
                group.append(one)
                break
        else:
            groups.append([one])
    return sorted(groups, key=lambda group: min(map(_grid_order, group)))


def _grid_order(one: Slice) -> tuple[tuple[float, ...], int, int, tuple[float, ...], tuple[float, ...]]:
    """Return what grids are sorted by: orientation, size, spacing, position; those without one come first."""
    return one.orientation or (), one.rows, one.columns, one.spacing or (), (one.position or ())[::-1]


def _same_grid(one: Slice, other: Slice) -> bool:
    """Tell whether two frames can lie in one volume."""
    return (
        (one.rows, one.columns) == (other.rows, other.columns)
        and _close(one.orientation, other.orientation, _SAME_DIRECTION)
        and _close(one.spacing, other.spacing, _SAME_SPACING_MM)
    )


def _close(one: tuple[float, ...] | None, other: tuple[float, ...] | None, tolerance: float) -> bool:
    """Tell whether two vectors agree, or are both missing."""
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def _by_mark(group: list[Slice]) -> list[tuple[str, list[Slice]]]:
    """Split frames of one grid by the mark, or all marks together, that leaves one frame per place in fewest parts."""
    if not _doubled(group):
        return [("", group)]
    names = list(dict.fromkeys(name for one in group for name, _ in one.marks))
    several = bool((np.diff(np.sort(heights(group))) >= SAME_PLACE_MM).any())
    # a time that differs in every file is that of the file and of no volume
    names = [name for name in names if not (several and len(_split(group, [name])) == len(group))]
    best: tuple[list[str], dict[tuple[str, ...], list[Slice]]] | None = None
    for chosen in [*([name] for name in names), names]:
        split = _split(group, chosen)
        sizes = {len(members) for members in split.values()}
        # a part of one frame beside a whole volume is a doubled slice, which reading refuses and locates
        whole = min(sizes) > 1 or (sizes == {1} and not several)
        better = best is None or len(split) < len(best[1])
        if len(split) > 1 and whole and better and not any(map(_doubled, split.values())):
            best = chosen, split
    if best is None:
        return [("", group)]
    chosen, split = best
    return [(_mark_name(chosen, split, key), split[key]) for key in sorted(split, key=_in_numbers)]


def _split(group: Sequence[Slice], chosen: Sequence[str]) -> dict[tuple[str, ...], list[Slice]]:
    """Gather frames by their values of some marks."""
    split: dict[tuple[str, ...], list[Slice]] = {}
    for one in group:
        marks = dict(one.marks)
        split.setdefault(tuple(marks.get(name, "") for name in chosen), []).append(one)
    return split


def _doubled(group: Sequence[Slice]) -> bool:
    """Tell whether two frames lie in one place along the normal."""
    if len(group) < 2 or any(one.position is None or one.orientation is None for one in group):
        return False
    return bool((np.diff(np.sort(heights(group))) < SAME_PLACE_MM).any())


def _mark_name(chosen: Sequence[str], split: Iterable[tuple[str, ...]], key: tuple[str, ...]) -> str:
    """Name a part by the marks that differ between the parts."""
    keys = list(split)
    varying = [index for index in range(len(chosen)) if len({other[index] for other in keys}) > 1]
    return ", ".join(f"{chosen[index]} {key[index] or 'none'}" for index in varying)


def _in_numbers(key: tuple[str, ...]) -> tuple[tuple[float, str], ...]:
    """Sort numbers by their value and other text behind them."""
    return tuple((_as_number(value), value) for value in key)


def _as_number(value: str) -> float:
    """Return the number that a text is, infinity where it is none."""
    try:
        return float(value)
    except ValueError:
        return float("inf")


def _grid_name(one: Slice) -> str:
    """Name a grid by its plane and size."""
    plane = "no orientation"
    if one.orientation is not None:
        normal = np.abs(np.cross(one.orientation[:3], one.orientation[3:]))
        plane = ("sagittal", "coronal", "axial")[int(normal.argmax())]
    return f"{plane} {one.columns} x {one.rows}"
