"""Curves and score plots as PNG files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = Sequence[tuple[int, float]]


def loss_curve_png(history: Mapping[str, Curve], path: Path) -> None:
    """Draw losses, and other metrics in a panel of their own, over the training step.

    Args:
        history: Points (step, value) by name; names with "loss" in them make the first panel.
        path: The PNG file to write; its folder is made.

    Raises:
        ValueError: No curve has a point.
    """
    curves = {name: points for name, points in history.items() if len(points)}
    if not curves:
        raise ValueError("expected at least one curve with a point, found none")
    losses = {name: points for name, points in curves.items() if "loss" in name.lower()}
    others = {name: points for name, points in curves.items() if name not in losses}
    panels = [(label, group) for label, group in (("loss", losses), ("score", others)) if group]
    figure = _figure(width=8.0, height=3.6 * len(panels))
    for index, (label, group) in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, index + 1, sharex=figure.axes[0] if index else None)
        for name, points in group.items():
            _draw_curve(axes, name, points)
        axes.set_ylabel(label)
        axes.set_xlabel("training step")
        _finish(axes, legend=True)
    _save(figure, path)


def dice_by_class_png(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the Dice of every case, with the mean, by class.

    Args:
        rows: One per case and class with `class` and `dice`; None or NaN stands for not defined.
        path: The PNG file to write; its folder is made.

    Raises:
        ValueError: There are no rows.
    """
    if not rows:
        raise ValueError("expected at least one row of scores, found none")
    names = list(dict.fromkeys(str(row["class"]) for row in rows))
    figure = _figure(width=8.0, height=1.6 + 0.4 * len(names))
    axes = figure.add_subplot(1, 1, 1)
    labels = []
    for index, name in enumerate(names):
        scores = _defined(row["dice"] for row in rows if str(row["class"]) == name)
        # A fixed spread keeps equal scores apart without changing from one drawing to the next.
        spread = np.linspace(-0.22, 0.22, len(scores)) if len(scores) > 1 else np.zeros(len(scores))
        axes.plot(scores, index + spread, "o", color="tab:blue", alpha=0.6, label="case" if index == 0 else None)
        if len(scores):
            axes.plot(scores.mean(), index, "|", color="black", markersize=18, markeredgewidth=2,
                      label="mean" if index == 0 else None)  # fmt: skip
        labels.append(f"{name}\n{scores.mean():.3f}" if len(scores) else f"{name}\nno score")
    axes.set_yticks(range(len(names)), labels)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Dice (0 to 1) by case, higher is better")
    _finish(axes, legend=True)
    _save(figure, path)


def _defined(values: Iterable[float | None]) -> NDArray[np.float64]:
    scores = np.array([float("nan") if value is None else float(value) for value in values])
    kept: NDArray[np.float64] = scores[np.isfinite(scores)]
    return kept


def _draw_curve(axes: "Axes", name: str, points: Curve) -> None:
    steps, values = np.array(points, dtype=float).T
    if len(values) <= 100:
        axes.plot(steps, values, marker="o", markersize=3, label=name)
        return
    # Per-step losses are noisy: the running mean over 2 % of the points is what the eye looks for.
    width = max(3, len(values) // 50) | 1
    padded = np.pad(values, width // 2, mode="edge")
    smooth = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    (line,) = axes.plot(steps, smooth, label=f"{name} (mean of {width} points)")
    axes.plot(steps, values, color=line.get_color(), alpha=0.25, linewidth=0.7)


def _figure(width: float, height: float) -> "Figure":
    # The object interface keeps no global state and needs no display.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _finish(axes: "Axes", *, legend: bool) -> None:
    axes.grid(visible=True, alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if legend:
        axes.legend(frameon=False, loc="best")


def _save(figure: "Figure", path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=120, format="png")
