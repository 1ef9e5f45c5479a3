"""The look of the drawings: boxes, joins, lines and words on a light card, in points, y downwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

# Fill and edge of a box by what it does.
COLOURS = {
    "convolution": ("#cfe1f7", "#3d6fae"),
    "norm": ("#d8ecd2", "#4f8a43"),
    "activation": ("#fbe3bd", "#b9811f"),
    "extra": ("#e6d8f3", "#7a4fa3"),
    "other": ("#e9e7e1", "#7c786d"),
}
INK, CARD, FRAME = "#2b2b2b", "#fcfbf8", "#d9d5ca"
BOX = (150.0, 24.0)
ROW = 38.0  # from a box to the one below it
_RADIUS = 10.0
_MARGIN = 22.0

Point = tuple[float, float]


class Sketch:
    """A drawing that grows; its card is fitted around it at the end."""

    def __init__(self) -> None:
        self._figure = Figure()
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._xs: list[float] = []
        self._ys: list[float] = []

    def box(self, x: float, y: float, text: str, kind: str, size: Point = BOX) -> None:
        """Draw a box around a centre."""
        width, height = size
        fill, edge = COLOURS[kind]
        self._axes.add_patch(
            FancyBboxPatch(
                (x - width / 2 + 4, y - height / 2 + 4),
                width - 8,
                height - 8,
                boxstyle="round,pad=4,rounding_size=5",
                facecolor=fill,
                edgecolor=edge,
                linewidth=1.1,
                zorder=3,
            )
        )
        self._reach(x - width / 2, y - height / 2)
        self._reach(x + width / 2, y + height / 2)
        self.text(x, y, text)

    def join(self, x: float, y: float, text: str = "+") -> None:
        """Draw a circle in which ways meet."""
        self._axes.add_patch(Circle((x, y), _RADIUS, facecolor="white", edgecolor=INK, linewidth=1.2, zorder=3))
        self._reach(x - _RADIUS, y - _RADIUS)
        self._reach(x + _RADIUS, y + _RADIUS)
        self.text(x, y, text, size=12)

    def text(
        self, x: float, y: float, text: str, *, size: float = 9.5, bold: bool = False, side: str = "center"
    ) -> None:
        """Write lines of words, centred or with the point at their `left` or `right`."""
        lines = text.split("\n")
        for number, line in enumerate(lines):
            lower = y + (number - (len(lines) - 1) / 2) * 1.3 * size
            weight = "bold" if bold else "normal"
            self._axes.text(x, lower, line, size=size, weight=weight, ha=side, va="center", color=INK, zorder=4)
            width = 0.56 * size * len(line)  # about what DejaVu Sans takes
            left = x - width * {"center": 0.5, "left": 0.0, "right": 1.0}[side]
            self._reach(left, lower - size)
            self._reach(left + width, lower + size)

    def line(self, *points: Point, arrow: bool = True) -> None:
        """Draw a line through points, with an arrow at its end."""
        drawn = points[:-1] if arrow else points  # an arrow draws the last stretch itself
        if len(drawn) > 1:
            xs, ys = zip(*drawn, strict=True)
            self._axes.plot(xs, ys, color=INK, linewidth=1.1, solid_capstyle="round", solid_joinstyle="round", zorder=2)
        if arrow:
            style = {"arrowstyle": "-|>,head_width=0.22,head_length=0.42", "color": INK, "linewidth": 1.1}
            style |= {"shrinkA": 0, "shrinkB": 0}
            self._axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=style, zorder=2)
        for point in points:
            self._reach(*point)

    def column(self, x: float, y: float, boxes: Sequence[tuple[str, str]]) -> float:
        """Draw boxes below each other, with an arrow into each; y is where the first arrow begins.

        Returns:
            Where the last box ends; y where there are none.
        """
        for text, kind in boxes:
            self.line((x, y), (x, y + ROW - BOX[1]))
            y += ROW
            self.box(x, y - BOX[1] / 2, text, kind)
        return y

    def save(self, path: Path) -> None:
        """Write the drawing as SVG, or as PNG to look at; the same drawing gives the same bytes."""
        left, right = min(self._xs) - _MARGIN, max(self._xs) + _MARGIN
        top, bottom = min(self._ys) - _MARGIN, max(self._ys) + _MARGIN
        self._figure.set_size_inches((right - left) / 72, (bottom - top) / 72)
        self._axes.set(xlim=(left, right), ylim=(bottom, top))
        self._axes.set_axis_off()
        card = FancyBboxPatch(
            (left + 7, top + 7), right - left - 14, bottom - top - 14, boxstyle="round,pad=6,rounding_size=10"
        )
        card.set(facecolor=CARD, edgecolor=FRAME, linewidth=1.0, zorder=0)
        self._axes.add_patch(card)
        # Words stay words, to be searched and read aloud; identifiers come from a salt and not from chance.
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "segpose"}):
            metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
            self._figure.savefig(path, transparent=True, dpi=110, metadata=metadata)

    def _reach(self, x: float, y: float) -> None:
        self._xs.append(x)
        self._ys.append(y)
