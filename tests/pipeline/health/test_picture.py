import cv2
import numpy as np
import pytest

from pipeline.health.picture import health_png
from pipeline.health.probe import LayerFigures, Sample
from pipeline.health.table import HealthTable


def table(layers, steps, value=lambda depth, step: 10.0**-depth):
    found = HealthTable()
    for step in range(0, 25 * steps, 25):
        figures = {f"encoder.{d}.conv": LayerFigures(value(d, step), 1.0, 0.001) for d in range(layers)}
        found.add(Sample(step, figures, 1.0, 1.0, 0.0))
    return found


@pytest.mark.parametrize(("layers", "steps"), [(1, 1), (3, 2), (60, 450)])
def test_any_number_of_layers_and_steps_makes_a_picture(tmp_path, layers, steps):
    path = tmp_path / "pictures" / "health.png"
    health_png(table(layers, steps), path)
    image = cv2.imread(str(path))
    assert image.shape[1] == 1560
    assert image.shape[0] > 15 * layers
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20


def test_zero_is_drawn_grey_and_does_not_fail(tmp_path):
    health_png(table(4, 4, lambda depth, step: 0.0), tmp_path / "health.png")
    image = cv2.imread(str(tmp_path / "health.png"))
    assert (image == 211).all(axis=2).mean() > 0.1  # a panel of light grey


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one sampled step"):
        health_png(HealthTable(), tmp_path / "health.png")
