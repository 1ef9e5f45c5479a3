import dataclasses
import math
import signal
import time

import pytest

from networks import build
from pipeline.planning.trial import Trial, measure, peak_bytes

UNET = {
    "class_path": "networks.unet.UNet",
    "init_args": {
        "in_channels": 1,
        "out_channels": 3,
        "spatial_dims": 3,
        "channels": [8, 16],
        "deep_supervision": True,
    },
}
HOURGLASS = {
    "class_path": "networks.hourglass.Hourglass",
    "init_args": {"in_channels": 3, "out_channels": 4, "stacks": 1, "features": 16, "depth": 2},
}
SMALL = Trial(UNET, (2, 1, 16, 16, 16))
GIB = 2**30


def test_a_step_of_a_unet_is_measured():
    found = measure(SMALL, GIB)
    assert found.ran
    assert 0 < found.peak_bytes < GIB
    assert 0 < found.step_s < 60


def test_a_larger_step_takes_more_memory():
    large = measure(dataclasses.replace(SMALL, shape=(2, 1, 48, 48, 48)), GIB)
    # what the first level alone keeps for the way back
    assert large.peak_bytes > 2 * 8 * 48**3 * 4 * 4
    assert large.peak_bytes > 2 * measure(SMALL, GIB).peak_bytes


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weights_gradients_and_optimiser_count(optimizer):
    wide = {**UNET, "init_args": {**UNET["init_args"], "channels": [8, 512]}}
    weights = sum(parameter.numel() for parameter in build(wide).parameters())
    found = measure(Trial(wide, (2, 1, 8, 8, 8), optimizer=optimizer), GIB)
    # the weights, their average, gradients, and one or two averages of these
    assert found.peak_bytes > (4 if optimizer == "sgd" else 5) * 4 * weights


def test_a_step_of_an_hourglass_is_measured():
    assert measure(Trial(HOURGLASS, (2, 3, 64, 32), answers="heatmaps"), GIB).ran


def test_structures_that_overlap_are_measured_with_their_own_loss():
    assert measure(dataclasses.replace(SMALL, overlapping=True), GIB).ran


def test_bf16_is_measured():
    assert measure(dataclasses.replace(SMALL, precision="bf16-mixed"), GIB).ran


def test_f29_a_step_far_over_the_limit_stops_itself_and_says_so():
    found = measure(dataclasses.replace(SMALL, shape=(2, 1, 512, 512, 256)), 2**28)
    assert not found.ran
    assert found.step_s == math.inf
    assert found.peak_bytes >= 2**28


def test_a_network_that_cannot_be_is_an_error_and_not_a_lack_of_memory():
    with pytest.raises(RuntimeError, match="at least two levels"):
        measure(Trial({**UNET, "init_args": {**UNET["init_args"], "channels": [8]}}, (2, 1, 16, 16, 16)), GIB)


def test_this_program_has_a_peak():
    assert peak_bytes("cpu") > 2**24


def test_an_interrupt_does_not_wait_for_the_step():
    wide = {**UNET, "init_args": {**UNET["init_args"], "channels": [192, 192]}}

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(1)
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            measure(Trial(wide, (2, 1, 48, 48, 48)), 4 * GIB)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begun < 10
