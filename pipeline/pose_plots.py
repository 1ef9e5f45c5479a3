"""Charts of a pose validation: correct joints over the threshold, errors by joint, and reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path
from datamodules.keypoints import Skeleton
from pipeline.metrics.keypoint_norm import RIGHT_WITHIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THRESHOLDS = np.linspace(0.0, 0.5, 101)  # shares of the norm
_BIN = ("predicted", "observed", "count")  # of a bin of reliability
_SPREAD = 90  # percentile of the errors that a thin line reaches


def pck_curves_png(normalised: NDArray[np.float64], skeleton: Skeleton, norm: str, path: Path) -> None:
    """Draw the share of correct joints over the threshold, for each joint and for all together.

    Args:
        normalised: Errors in units of the norm [N, K], NaN where a joint has no truth.
        skeleton: The joints; the right one of a pair is drawn as its left one, but dashed.
        norm: Kind of the norm; a dotted line marks what counts as right.
        path: The PNG file to write; its folder exists.
    """
    from matplotlib import colormaps

    figure = _figure(8.4, 5.0)
    axes = figure.add_subplot(1, 1, 1)
    partners = {right: left for left, right in skeleton.pairs}
    own = [joint for joint in range(len(skeleton.names)) if joint not in partners]
    palette = {joint: colormaps["turbo"](0.05 + 0.9 * place / len(own)) for place, joint in enumerate(own)}
    for joint, name in enumerate(skeleton.names):
        errors = normalised[:, joint][np.isfinite(normalised[:, joint])]
        if errors.size:
            colour, dashes = palette[partners.get(joint, joint)], "--" if joint in partners else "-"
            axes.plot(THRESHOLDS, shares_within(errors), dashes, color=colour, linewidth=1.3, label=_plain(name))
    everything = normalised[np.isfinite(normalised)]
    if everything.size:
        axes.plot(THRESHOLDS, shares_within(everything), color="black", linewidth=2.6, label="all joints")
    axes.axvline(RIGHT_WITHIN[norm], color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlim(0, THRESHOLDS[-1])
    axes.set_ylim(0, 1.01)
    axes.set_xlabel(f"threshold as a share of the norm ({norm})")
    axes.set_ylabel("PCK: share of joints within the threshold")
    _finish(axes)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside right center", frameon=False, fontsize=8)
    _save(figure, path)


def shares_within(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of errors that are at most each of `THRESHOLDS`."""
    return np.searchsorted(np.sort(errors), THRESHOLDS, side="right") / errors.size


def joint_errors_png(errors_px: NDArray[np.float64], names: Sequence[str], path: Path) -> None:
    """Draw the median and the mean error of each joint in original pixels, and how far 90 % of its errors reach.

    Args:
        errors_px: [N, K], NaN where a joint has no truth.
        names: Names of the joints.
        path: The PNG file to write; its folder exists.
    """
    figure = _figure(8.0, 1.5 + 0.32 * len(names))
    axes = figure.add_subplot(1, 1, 1)
    labels = []
    for place, name in enumerate(names):
        errors = errors_px[:, place][np.isfinite(errors_px[:, place])]
        labels.append(_plain(name))
        if not errors.size:
            axes.text(0, place, " no truth", va="center", fontsize=8, color="grey")
            continue
        first = not axes.patches
        median, mean, far = np.median(errors), errors.mean(), np.percentile(errors, _SPREAD)
        axes.barh(place, median, height=0.62, color="#2f9bff", label="median" if first else None)
        axes.plot([median, far], [place, place], color="#2f9bff", linewidth=1.2,
                  label=f"up to the {_SPREAD}th percentile" if first else None)  # fmt: skip
        axes.plot(mean, place, "D", color="black", markersize=4.5, label="mean" if first else None)
        axes.annotate(f"{median:.1f}", (0, place), (4, 0), textcoords="offset points", va="center", fontsize=8,
                      color="white" if median > 0.06 * np.nanmax(errors_px) else "black")  # fmt: skip
    axes.set_yticks(range(len(names)), labels)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("error in pixels of the original images")
    _finish(axes)
    if axes.patches:
        axes.legend(frameon=False, loc="best", fontsize=8)
    _save(figure, path)


def reliability_png(
    curves: Mapping[str, Sequence[Mapping[str, float]]],
    confidence: NDArray[np.float64],
    in_view: NDArray[np.bool_],
    path: Path,
) -> None:
    """Draw how often joints are right, over the confidence that they were given, and how confidences spread.

    Args:
        curves: Bins by name as `reliability_bins` returns them.
        confidence: From 0 to 1 [N].
        in_view: Which of these joints lay in what the network was shown [N].
        path: The PNG file to write; its folder exists.
    """
    figure = _figure(6.0, 7.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.3))
    upper.plot([0, 1], [0, 1], color="grey", linewidth=0.9, linestyle=":", label="as it should be")
    for (name, bins), colour in zip(curves.items(), ("#b0b0b0", "#2f9bff"), strict=True):
        predicted, observed, count = (np.array([entry[key] for entry in bins]) for key in _BIN)
        upper.plot(predicted, observed, color=colour, linewidth=1.4, label=name)
        upper.scatter(predicted, observed, s=12 + 150 * count / max(count.max(initial=1), 1), color=colour, alpha=0.75)
    upper.set_ylabel("share of joints that are right")
    upper.set_ylim(-0.03, 1.03)
    upper.set_xlim(-0.03, 1.03)
    lower.hist([confidence[in_view], confidence[~in_view]], bins=np.linspace(0, 1, 21).tolist(), stacked=True,
               color=["#2f9bff", "#ff8a1f"], label=["joint in view", "joint out of view"])  # fmt: skip
    lower.set_xlabel("confidence")
    lower.set_ylabel("joints")
    for axes in (upper, lower):
        _finish(axes)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle("areas of dots: joints in each tenth", fontsize=9)
    _save(figure, path)


def _plain(name: str) -> str:
    # A leading underscore hides a name from legends, dollar signs are read as formulas.
    return name.replace("$", r"\$").replace("_", " ").strip() or "?"


def _finish(axes: Axes) -> None:
    axes.grid(visible=True, alpha=0.3)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _figure(width: float, height: float) -> Figure:
    # The object interface keeps no global state and needs no display.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
