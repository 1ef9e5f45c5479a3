"""Which validation cases are drawn, and their pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.volume import Volume
from datamodules.geometry import canonical_array, to_canonical
from datamodules.labels import LabelSet
from pipeline.evaluation import StructureScore
from pipeline.overlays import overlay_png

# Best, middle and worst: three of each where there are as many cases.
_EACH = 3
_FEWEST = 6  # pictures of a run; with fewer cases each has a second one, cut where its errors are
_LONGEST_NAME = 200  # bytes of a case in a file name, which may have 255 in all


@dataclass(frozen=True, eq=False)
class Drawn:
    """A case as it is drawn.

    Args:
        image: The image on its file's grid.
        found: Predicted class indices [X, Y, Z], or masks [K, X, Y, Z].
        truth: The same of the reference.
    """

    image: Volume
    found: NDArray[Any]
    truth: NDArray[Any]


def choose_cases(rows: Sequence[StructureScore]) -> dict[str, str]:
    """Return the rank ("best-1", "median-1", "worst-1", ...) of the cases that are drawn.

    Cases are ranked by their mean Dice; each is drawn once.
    """
    means = mean_dice(rows)
    ranked = sorted(means, key=lambda case: means[case], reverse=True)
    middle = sorted(range(len(ranked)), key=lambda place: abs(place - (len(ranked) - 1) / 2))
    orders = {"best": range(len(ranked)), "worst": range(len(ranked) - 1, -1, -1), "median": middle}
    chosen: dict[str, str] = {}
    for turn in range(1, _EACH + 1):
        for name, order in orders.items():
            free = [ranked[place] for place in order if ranked[place] not in chosen]
            if free:
                chosen[free[0]] = f"{name}-{turn}"
    return chosen


def mean_dice(rows: Sequence[StructureScore]) -> dict[str, float]:
    """Return the mean Dice of each case; 1 where it holds none of the structures and none was found."""
    by_case: dict[str, list[float]] = {}
    for row in rows:
        by_case.setdefault(row.case, []).extend([] if row.dice is None else [row.dice])
    return {case: float(np.mean(values)) if values else 1.0 for case, values in by_case.items()}


def draw_case(case_id: str, rank: str, dice: float, drawn: Drawn, labels: LabelSet, folder: Path, few: bool) -> None:
    """Draw a case with its reference, and where there are few cases also its errors.

    Args:
        case_id: Name of the case.
        rank: What `choose_cases` gave it.
        dice: Its mean Dice.
        drawn: Image, prediction and reference.
        labels: The structures.
        folder: Where the pictures go.
        few: Whether to add a picture cut where prediction and reference differ most.
    """
    shown = to_canonical(drawn.image)
    found, truth = (canonical_array(array, drawn.image.affine) for array in (drawn.found, drawn.truth))
    wrong = (found != truth).any(axis=0) if found.ndim == 4 else found != truth
    name = f"{rank}_{case_id.encode()[:_LONGEST_NAME].decode(errors='ignore')}"
    views: Mapping[str, NDArray[Any] | None] = {name: None} | ({f"{name}_errors": wrong} if few else {})
    for view, guide in views.items():
        overlay_png(
            shown.array,
            found,
            folder / f"{view}.png",
            labels.names,
            truth,
            guide=guide,
            spacing_mm=shown.spacing_mm,
            title=f"{case_id}: mean Dice {dice:.3f}" + ("" if guide is None else ", where the errors are"),
        )


def are_few(chosen: Mapping[str, str]) -> bool:
    """Tell whether the chosen cases alone would make too few pictures."""
    return len(chosen) < _FEWEST
