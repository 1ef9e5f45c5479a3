import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.integrity.facts import CaseFacts
from datamodules.preprocessing_choice import PreprocessingChoice


def summary(spacing, samples):
    return CaseFacts(
        case_id="case",
        content="",
        voxels="",
        label_voxels="",
        shape=(4, 4, 4),
        spacing_mm=spacing,
        orientation="RAS",
        affine=np.diag([*spacing, 1.0]),
        dtype="int16",
        limits=((0.0, 1.0),),
        samples=np.array(samples, dtype=np.float32),
        channels=(),
        structures={},
        adjacency=(),
        nonzero_shape=(4, 4, 4),
        air_shape=(4, 4, 4),
        thumbnail=np.zeros((1, 1), dtype=np.uint8),
        thumbnail_labels=np.zeros((1, 1), dtype=np.uint8),
        file_bytes=1,
    )


CASES = [summary((1.0, 1.0, s), [np.linspace(-100, 100, 401) + s, np.ones(401)]) for s in (2.0, 3.0, 7.0)]


def test_median_spacing_is_that_of_each_axis():
    assert PreprocessingChoice().resolve(CASES, 2).spacing_mm == (1.0, 1.0, 3.0)


def test_spacing_as_given_and_none():
    assert PreprocessingChoice(spacing_mm=(2.0, 2.0, 4.0)).resolve(CASES, 2).spacing_mm == (2.0, 2.0, 4.0)
    assert PreprocessingChoice(spacing_mm="native").resolve(CASES, 2).spacing_mm is None


def test_ct_takes_the_foreground_of_its_own_channel():
    first, second = PreprocessingChoice(intensity=["ct", "zscore"]).resolve(CASES, 2).channels
    pooled = np.concatenate([case.samples[0] for case in CASES])
    assert (first.lower, first.upper) == pytest.approx(tuple(np.percentile(pooled, (0.5, 99.5))))
    assert (first.mean, first.std) == pytest.approx((pooled.mean(), pooled.std()))
    assert (second.scheme, second.mean) == ("zscore", None)


def test_one_scheme_for_each_channel():
    with pytest.raises(DataError, match="3 schemes for 2 channels"):
        PreprocessingChoice(intensity=["ct", "zscore", "none"]).resolve(CASES, 2)


def test_f05_what_happens_to_shear_is_passed_on():
    assert PreprocessingChoice().resolve(CASES, 2).sheared == "refuse"
    assert PreprocessingChoice(sheared="resample").resolve(CASES, 2).sheared == "resample"
