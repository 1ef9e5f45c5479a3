"""The figures of all layers over a whole training, as a table and as arrays to draw."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.health.probe import NOT_MEASURED, LayerFigures, Sample

FIGURES = ("gradient_norm", "activation", "update_ratio")
_MOST_SAMPLES = 1000  # 30 MB for 200 layers


class HealthTable:
    """Samples of a training, layers by depth.

    Depth is the place of a layer in the order of the forward pass. A layer that runs only now and then, as with
    stochastic depth, is put behind the one that it followed when it first ran. In a long training every second sample
    is dropped, then every second of those that are left, and so on.
    """

    def __init__(self) -> None:
        self.layers: list[str] = []
        self.steps: list[int] = []
        self._rows: list[dict[str, NDArray[np.float32]]] = []
        self._seen, self._every = 0, 1

    def add(self, sample: Sample) -> None:
        """Take over a sampled step."""
        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        place = 0
        for name in sample.layers:
            if name in self.layers:
                place = self.layers.index(name) + 1
            else:
                self.layers.insert(place, name)
                place += 1
        self.steps.append(sample.step)
        self._rows.append({name: np.array(_values(found), np.float32) for name, found in sample.layers.items()})
        if len(self.steps) > _MOST_SAMPLES:
            self.steps, self._rows, self._every = self.steps[::2], self._rows[::2], 2 * self._every

    def figure(self, name: str) -> NDArray[np.float32]:
        """Return one of FIGURES as [layers, steps], NaN where a layer was not measured."""
        place, missing = FIGURES.index(name), np.float32(NOT_MEASURED)
        rows = [[row[layer][place] if layer in row else missing for layer in self.layers] for row in self._rows]
        return np.array(rows, np.float32).reshape(len(self.steps), len(self.layers)).T

    def write(self, path: Path) -> None:
        """Write a CSV file with a row per step and layer; what was not measured is left empty."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "layer", "depth", *FIGURES])
            for step, row in zip(self.steps, self._rows, strict=True):
                for depth, layer in enumerate(self.layers):
                    if layer in row:
                        writer.writerow([step, layer, depth, *_cells(row[layer])])


def _values(figures: LayerFigures) -> list[float]:
    return [float(getattr(figures, name)) for name in FIGURES]


def _cells(values: Iterable[float]) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.6g}" for value in values]
