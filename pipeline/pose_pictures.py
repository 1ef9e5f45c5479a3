"""Pictures of validation subjects: found joints over the image, with the true ones beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datamodules.cropping import box_to_original, cut, invert, transform
from datamodules.formats.atomic import atomic_path
from datamodules.keypoints import Box, Skeleton
from pipeline.inference.pose_overlay import joint_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ERROR = "#ff2d55"
_PADDING = 1.35  # of the box around the joints, so that a head or a foot is in the picture
_FAINTEST = 0.2  # opacity of a joint without any confidence, which is still to be seen
_TILE_PX = 520  # longer side of a subject in a picture of its own
_SHEET_TILE_PX = 300
_SHEET_COLUMNS = 3
_LONGEST_NAME = 28  # letters of a subject's name above a small picture


@dataclass(frozen=True, eq=False)
class DrawnPose:
    """A subject as it is drawn, in pixels of its image.

    Args:
        case: Its name.
        image: RGB [H, W, 3].
        points: Found joints [K, 2].
        confidence: From 0 to 1 [K]; the opacity of what was found.
        truth: True joints [K, 2].
        labelled: Which joints have a truth [K].
        note: What its title says behind its name, such as its scores.
    """

    case: str
    image: NDArray[np.uint8]
    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    truth: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    note: str = ""


def subject_png(drawn: DrawnPose, skeleton: Skeleton, path: Path) -> None:
    """Draw one subject: found joints by side and confidence, true ones as rings, errors as lines between them.

    Args:
        drawn: The subject.
        skeleton: Its joints and limbs.
        path: The PNG file to write; its folder exists.
    """
    size = _tile_size(drawn, _TILE_PX)
    figure = _figure(max(4.8, size[0] / 100 + 0.2), size[1] / 100 + 0.95)  # the legend needs 4.8 inches
    axes = figure.add_subplot(1, 1, 1)
    draw_pose(axes, drawn, skeleton, size, line=2.6, marker=6.5)
    figure.suptitle(_title(drawn, 60), fontsize=10, parse_math=False)
    _legend(figure, skeleton)
    _save(figure, path)


def contact_sheet_png(subjects: Sequence[DrawnPose], skeleton: Skeleton, path: Path, title: str) -> None:
    """Draw several subjects side by side, each with its name and scores.

    Args:
        subjects: In the order in which they are laid out.
        skeleton: Their joints and limbs.
        path: The PNG file to write; its folder exists.
        title: A line above all.

    Raises:
        ValueError: There is no subject.
    """
    if not subjects:
        raise ValueError("expected at least one subject to draw, found none")
    columns = min(_SHEET_COLUMNS, len(subjects))
    rows = -(-len(subjects) // columns)
    figure = _figure(3.2 * columns, 3.55 * rows + 0.85)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, drawn in zip(grid, subjects, strict=False):
        draw_pose(axes, drawn, skeleton, (_SHEET_TILE_PX, _SHEET_TILE_PX), line=1.8, marker=4.5)
        axes.set_title(_title(drawn, _LONGEST_NAME), fontsize=8, parse_math=False)
    for axes in grid[len(subjects) :]:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=11, parse_math=False)
    _legend(figure, skeleton)
    _save(figure, path)


def joint_colours(skeleton: Skeleton) -> list[str]:
    """Return the colour of each joint, as in the overlay of a video."""
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in joint_colors(skeleton)]


def subject_region(drawn: DrawnPose) -> Box:
    """Return the box that holds a subject's true joints and what was found of them, with some room around."""
    points = np.concatenate([drawn.truth[drawn.labelled], drawn.points[drawn.labelled]])
    points = points[np.isfinite(points).all(axis=1)]
    height, width = drawn.image.shape[:2]
    if not len(points):
        return (-0.5, -0.5, float(width), float(height))
    low, high = points.min(axis=0), points.max(axis=0)
    # Joints on one line, or a single one, would leave nothing to see of the subject.
    extent = np.maximum((high - low) * _PADDING, max((high - low).max() * 0.4, 0.1 * max(width, height)))
    corner = (low + high - extent) / 2
    return (float(corner[0]), float(corner[1]), float(extent[0]), float(extent[1]))


def _tile_size(drawn: DrawnPose, longest: int) -> tuple[int, int]:
    """Return width and height of a picture in the region's proportions, neither side under half of the longest."""
    _, _, width, height = subject_region(drawn)
    scale = longest / max(width, height)
    return max(longest // 2, round(width * scale)), max(longest // 2, round(height * scale))


def draw_pose(
    axes: Axes, drawn: DrawnPose, skeleton: Skeleton, size: tuple[int, int], *, line: float, marker: float
) -> None:
    """Draw a subject's region with its joints and limbs.

    Args:
        axes: Where to draw.
        drawn: The subject.
        skeleton: Its joints and limbs.
        size: Width and height in pixels that the region is sampled at.
        line: Width of limbs in points.
        marker: Size of joints in points.
    """
    to_original = box_to_original(subject_region(drawn), size)
    axes.imshow(cut(drawn.image, to_original, size), interpolation="bilinear")
    back = invert(to_original)
    points, truth = transform(back, drawn.points), transform(back, drawn.truth)
    opacity = _FAINTEST + (1 - _FAINTEST) * np.clip(np.nan_to_num(drawn.confidence), 0, 1)
    colours, sided = joint_colours(skeleton), {joint for pair in skeleton.pairs for joint in pair}
    for a, b in skeleton.edges:
        colour = colours[b] if sided and a not in sided else colours[a]
        axes.plot(*points[[a, b]].T, color=colour, alpha=min(opacity[a], opacity[b]), linewidth=line)
    for joint, colour in enumerate(colours):
        if drawn.labelled[joint]:
            axes.plot(*np.stack([truth[joint], points[joint]]).T, color=_ERROR, linewidth=0.6 * line)
            # White on a black rim is seen on every ground.
            for colour_of_ring, width in (("black", 2.2), ("white", 1.1)):
                axes.plot(
                    *truth[joint],
                    marker="o",
                    markersize=1.25 * marker,
                    markerfacecolor="none",
                    markeredgecolor=colour_of_ring,
                    markeredgewidth=width,
                )
        axes.plot(
            *points[joint], "o", color=colour, alpha=opacity[joint], markersize=0.8 * marker, markeredgecolor="black",
            markeredgewidth=0.5,
        )  # fmt: skip
    axes.set_xlim(-0.5, size[0] - 0.5)
    axes.set_ylim(size[1] - 0.5, -0.5)
    axes.set_axis_off()


def _title(drawn: DrawnPose, longest: int) -> str:
    name = drawn.case if len(drawn.case) <= longest else f"…{drawn.case[1 - longest :]}"
    return f"{name}\n{drawn.note}" if drawn.note else name


def _legend(figure: Figure, skeleton: Skeleton) -> None:
    from matplotlib.lines import Line2D

    colours = joint_colours(skeleton)
    paired = [joint for pair in skeleton.pairs for joint in pair]
    sides = [("left", paired[0]), ("right", paired[1])] if paired else []
    single = [("middle", joint) for joint in range(len(colours)) if joint not in paired][:1] if paired else []
    handles = [Line2D([], [], color=colours[joint], marker="o", label=name) for name, joint in (*sides, *single)]
    ring = Line2D([], [], marker="o", markerfacecolor="none", markeredgecolor="black", linestyle="none", label="true")
    handles += [ring, Line2D([], [], color=_ERROR, label="error")]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8, frameon=False,
                  title="opacity of what was found: confidence", title_fontsize=8)  # fmt: skip


def _figure(width: float, height: float) -> Figure:
    # The object interface keeps no global state and needs no display.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
