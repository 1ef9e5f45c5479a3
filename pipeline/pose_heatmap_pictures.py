"""Pictures of what each stack of a network answers: heatmaps in colour over the images that it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path

_DIMMED = 0.45  # brightness that the image keeps behind its heatmaps
_PANEL_INCHES = 2.3
_LONGEST_NAME = 24  # letters of a subject's name above its column


@dataclass(frozen=True, eq=False)
class DrawnHeatmaps:
    """A subject with the answers of all stacks.

    Args:
        case: Its name.
        image: The network's input before normalisation, RGB [H, W, 3].
        stacks: The heatmaps of each stack [K, h, w], first to last.
        points: The joints read from the last stack, in pixels of the input [K, 2].
    """

    case: str
    image: NDArray[np.uint8]
    stacks: Sequence[NDArray[np.float32]]
    points: NDArray[np.float64]


def heatmaps_png(subjects: Sequence[DrawnHeatmaps], names: Sequence[str], path: Path) -> None:
    """Draw a column for each subject: its input with the joints, and a row for every stack's heatmaps.

    Each joint has its colour; where several overlap the strongest is shown. A value of 1, the peak of a target, is
    drawn in full colour.

    Args:
        subjects: All with equally many stacks.
        names: Names of the joints.
        path: The PNG file to write; its folder exists.

    Raises:
        ValueError: There is no subject.
    """
    if not subjects:
        raise ValueError("expected at least one subject to draw, found none")
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    colours = _colours(len(names))
    rows = 1 + len(subjects[0].stacks)
    height, width = subjects[0].image.shape[:2]
    panel = _PANEL_INCHES * height / width + 0.3
    figure = Figure(figsize=(_PANEL_INCHES * len(subjects) + 2.2, panel * rows), layout="constrained")
    grid = figure.subplots(rows, len(subjects), squeeze=False)
    for column, subject in enumerate(subjects):
        axes = grid[0, column]
        axes.imshow(subject.image)
        axes.scatter(*subject.points.T, c=colours, s=22, edgecolors="black", linewidths=0.6)
        axes.set_title(subject.case[-_LONGEST_NAME:], fontsize=8, parse_math=False)
        for row, maps in enumerate(subject.stacks, 1):
            grid[row, column].imshow(coloured(subject.image, maps, colours))
            grid[row, column].set_title(f"stack {row}: peaks {_peaks(maps)}", fontsize=8)
    for axes in grid.ravel():
        axes.set_axis_off()
        axes.set_xlim(-0.5, width - 0.5)
        axes.set_ylim(height - 0.5, -0.5)
    handles = [
        Line2D([], [], color=tuple(c), marker="o", linestyle="none", label=n)
        for n, c in zip(names, colours, strict=True)
    ]
    legend = figure.legend(handles=handles, loc="outside right center", fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name may hold dollar signs
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def coloured(image: NDArray[np.uint8], maps: NDArray[np.float32], colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return heatmaps [K, h, w] in the colours [K, 3] of their joints over an image [H, W, 3], from 0 to 1."""
    height, width = image.shape[:2]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] / 255.0 * _DIMMED
    large = np.stack([cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in maps.astype(np.float32)])
    strongest = large.argmax(axis=0)
    # Low values cover large areas and say little: the power lets peaks stand out.
    opacity = np.clip(np.nan_to_num(large.max(axis=0)), 0, 1)[..., None] ** 1.5
    shown: NDArray[np.float64] = grey * (1 - opacity) + colours[strongest] * opacity
    return shown


def _colours(count: int) -> NDArray[np.float64]:
    from matplotlib import colormaps

    return np.asarray(colormaps["hsv"](np.arange(count) / count))[:, :3]


def _peaks(maps: NDArray[np.float32]) -> str:
    peaks = maps.reshape(len(maps), -1).max(axis=1)
    return f"{peaks.min():.2f} to {peaks.max():.2f}"
