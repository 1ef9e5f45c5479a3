import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from datamodules.formats.volume import Volume
from datamodules.training_range import intensity_limits, outside_training_range, training_range


@dataclass
class Seen:
    spacing_mm: tuple[float, float, float]
    limits: tuple[tuple[float, float], ...]


SEEN = training_range([Seen((1.0, 1.0, 2.5), ((-1024.0, 900.0),)), Seen((1.5, 1.0, 3.0), ((-1000.0, 1100.0),))])


def make(low, high, spacing=(1.2, 1.0, 2.5)):
    values = np.linspace(low, high, 8000, dtype=np.float32).reshape(1, 20, 20, 20)
    return Volume(values, np.diag([*spacing, 1.0]), Path("a.nii.gz"))


def test_the_range_spans_all_cases_and_is_json():
    assert json.loads(json.dumps(SEEN)) == {
        "spacing_mm": [[1.0, 1.5], [1.0, 1.0], [2.5, 3.0]],
        "intensity": [{"low": [-1024.0, -1000.0], "high": [900.0, 1100.0]}],
    }


def test_limits_are_percentiles_of_what_is_finite():
    volume = make(0, 1000)
    volume.array[0, 0, 0, 0] = np.nan
    ((low, high),) = intensity_limits(volume)
    assert low == pytest.approx(5, abs=0.5)
    assert high == pytest.approx(995, abs=0.5)


def test_an_image_like_those_of_training_passes():
    assert outside_training_range(make(-1030, 1300), SEEN) == []


@pytest.mark.parametrize(
    ("volume", "word"),
    [
        (make(-1024, 9000), "high intensities"),
        (make(0, 3500), "high intensities"),
        (make(-8000, 1000), "low intensities"),
        (make(0, 1000), "low intensities"),  # an MR in a CT model: there is no air
        (make(-1024, 1000, (4.0, 1.0, 2.5)), "along X"),
        (make(-1024, 1000, (1.0, 1.0, 0.7)), "along Z"),
    ],
)
def test_f32_what_lies_outside_is_told(volume, word):
    findings = outside_training_range(volume, SEEN)
    assert any(word in finding for finding in findings)


def test_axes_are_compared_in_canonical_order():
    affine = np.array([[0, 1.2, 0, 0], [0, 0, 1.0, 0], [2.5, 0, 0, 0], [0, 0, 0, 1.0]])
    turned = Volume(make(-1024, 1000).array, affine, Path("a.nii.gz"))
    assert turned.spacing_mm == (2.5, 1.2, 1.0)
    assert outside_training_range(turned, SEEN) == []
