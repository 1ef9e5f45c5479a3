import json

import numpy as np
import pytest

from datamodules.intensity import ChannelIntensity

CT = ChannelIntensity("ct", lower=-100, upper=300, mean=50, std=25)


def test_ct_clips_then_standardises():
    found = CT.apply(np.array([[[-1000, -100, 50, 75, 300, 3000]]], dtype=np.int16))
    np.testing.assert_allclose(found.ravel(), [-6, -6, 0, 1, 10, 10])
    assert found.dtype == np.float32


def test_zscore_has_mean_zero_and_deviation_one():
    values = np.random.default_rng(0).normal(1e5, 3, (20, 20, 20)).astype(np.float32)
    found = ChannelIntensity("zscore").apply(values)
    assert abs(found.mean(dtype=np.float64)) < 1e-2
    assert found.std() == pytest.approx(1, rel=1e-3)


def test_rescale_goes_from_zero_to_one():
    found = ChannelIntensity("rescale").apply(np.array([[[10, 20, 30]]], dtype=np.uint8))
    assert found.ravel().tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("scheme", ["zscore", "rescale", "none", "ct"])
@pytest.mark.parametrize("value", [0, 7, -1024])
def test_constant_images_stay_finite(scheme, value):
    channel = CT if scheme == "ct" else ChannelIntensity(scheme)
    assert np.isfinite(channel.apply(np.full((2, 3, 4), value))).all()


def test_the_input_is_left_alone_and_the_output_is_contiguous():
    values = np.asfortranarray(np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32))
    before = values.copy()
    for channel in (CT, *(ChannelIntensity(scheme) for scheme in ("zscore", "rescale", "none"))):
        found = channel.apply(values)
        assert found.flags.c_contiguous
        assert not np.shares_memory(found, values)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("channel", [CT, ChannelIntensity("zscore"), ChannelIntensity("none")])
def test_comes_back_through_json(channel):
    assert ChannelIntensity.from_dict(json.loads(json.dumps(channel.to_dict()))) == channel


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="one of"):
        ChannelIntensity("hounsfield")
    with pytest.raises(ValueError, match="lower, upper, mean and std"):
        ChannelIntensity("ct", lower=0, upper=1)
