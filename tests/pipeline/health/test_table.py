import csv
import math

import numpy as np

from pipeline.health.probe import LayerFigures, Sample
from pipeline.health.table import FIGURES, HealthTable


def sample(step, **layers):
    figures = {name: LayerFigures(value, 2 * value, 3 * value) for name, value in layers.items()}
    return Sample(step, figures, 1.0, 1.0, 0.0)


def test_figures_come_as_layers_by_steps():
    table = HealthTable()
    table.add(sample(0, a=1.0, b=2.0))
    table.add(sample(25, a=3.0, b=4.0))
    assert table.steps == [0, 25]
    np.testing.assert_array_equal(table.figure("gradient_norm"), [[1, 3], [2, 4]])
    np.testing.assert_array_equal(table.figure("update_ratio"), [[3, 9], [6, 12]])


def test_a_layer_that_runs_later_stands_behind_the_one_it_follows():
    table = HealthTable()
    table.add(sample(0, a=1.0, c=1.0))
    table.add(sample(1, a=1.0, b=1.0, c=1.0, d=1.0))
    table.add(sample(2, first=1.0, c=1.0))
    assert table.layers == ["first", "a", "b", "c", "d"]
    assert math.isnan(table.figure("activation")[2, 0])


def test_the_file_has_a_row_per_step_and_layer_and_leaves_out_what_is_unknown(tmp_path):
    table = HealthTable()
    table.add(sample(0, a=0.5, b=math.nan))
    table.add(sample(25, a=1e-12))
    path = tmp_path / "health" / "layers.csv"
    table.write(path)
    rows = list(csv.DictReader(path.open()))
    assert list(rows[0]) == ["step", "layer", "depth", *FIGURES]
    assert [(row["step"], row["layer"], row["depth"], row["gradient_norm"]) for row in rows] == [
        ("0", "a", "0", "0.5"),
        ("0", "b", "1", ""),
        ("25", "a", "0", "1e-12"),
    ]
