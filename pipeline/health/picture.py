"""The health of a training in one picture: layers by depth, steps of the training, colour for size."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.health.table import HealthTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS = {"gradient_norm": "gradient norm", "activation": "activation scale (RMS)", "update_ratio": "update / weight"}
_MOST_STEPS = 400  # columns that can be told apart
_MOST_NAMES = 200  # beyond it only every second, third, ... layer is named
_LEAST_DECADES = 2.0  # of a colour scale, so that noise does not look like a trend


def health_png(table: HealthTable, path: Path) -> None:
    """Draw gradient norm, activation scale and update-to-weight ratio, first layer on top.

    Args:
        table: Samples of the training.
        path: The PNG file to write; its folder is made.

    Raises:
        ValueError: The table is empty.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not table.steps or not table.layers:
        raise ValueError("expected at least one sampled step, found none")
    named = min(len(table.layers), _MOST_NAMES)
    figure = Figure(figsize=(13.0, 2.0 + max(1.6, 0.16 * named)), layout="constrained")
    first: Axes | None = None
    for index, (name, title) in enumerate(_PANELS.items()):
        axes = figure.add_subplot(1, 3, index + 1, sharey=first)
        _draw(figure, axes, table, name)
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("training step")
        if first is None:
            first = axes
            _name_layers(axes, table.layers)
        else:
            axes.tick_params(labelleft=False)
    figure.suptitle("Health of the training by layer: first layer on top; grey is 0 or not measured", fontsize=12)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=120, format="png")


def _draw(figure: "Figure", axes: "Axes", table: HealthTable, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    kept = np.unique(np.linspace(0, len(table.steps) - 1, _MOST_STEPS).astype(int))
    steps, values = np.array(table.steps, dtype=float)[kept], table.figure(name)[:, kept]
    log10 = np.full(values.shape, np.nan)
    np.log10(values, out=log10, where=np.isfinite(values) & (values > 0))
    low, high = _limits(log10)
    axes.set_facecolor("lightgrey")
    rows = np.arange(len(table.layers) + 1) - 0.5
    # As an image: a grid of polygons takes many times as long to draw.
    mesh = axes.pcolorfast(_edges(steps), rows, np.ma.masked_invalid(log10), cmap="viridis", vmin=low, vmax=high)
    bar = figure.colorbar(mesh, ax=axes, location="bottom", aspect=30, pad=0.02)
    bar.set_label("log10", fontsize=9)
    bar.locator = MaxNLocator(6)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _limits(log10: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the colour scale: all values but the outermost hundredth, and not too narrow."""
    found = log10[np.isfinite(log10)]
    if not len(found):
        return -1.0, 1.0
    low, high = (float(end) for end in np.percentile(found, [0.5, 99.5]))
    spare = max(0.0, _LEAST_DECADES - (high - low)) / 2
    return low - spare, high + spare


def _edges(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the borders of columns: each lasts from its step to the next, the last as long as the one before."""
    last = steps[-1] - steps[-2] if len(steps) > 1 else 1.0
    return np.append(steps, steps[-1] + last)


def _name_layers(axes: "Axes", layers: list[str]) -> None:
    stride = -(-len(layers) // _MOST_NAMES)
    axes.set_yticks(range(0, len(layers), stride), layers[::stride], fontsize=8)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.set_ylabel("layer, in the order of the forward pass")
