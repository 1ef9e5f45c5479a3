import math

import numpy as np
import pytest

from pipeline.health.detectors import Alarm, Explosion, LossSpike, collapsed, too_large, vanishing
from pipeline.health.probe import LayerFigures, Sample


def layers(gradients):
    return {f"conv{n}": LayerFigures(value, 1.0, 0.001) for n, value in enumerate(gradients)}


def sample(spread=1.0, size=0.0, weight_norm=10.0, **figures):
    found = {"conv0": LayerFigures(0.1, 1.0, 0.001), "conv1": LayerFigures(**({"gradient_norm": 0.1} | figures))}
    return Sample(0, found, weight_norm, spread, size)


def test_gradients_that_fade_towards_the_first_layers_vanish():
    words = vanishing(layers([10.0 ** (n - 9) for n in range(10)]))
    assert "1.0e-08 in the first layers (conv0 to conv2)" in words
    assert "up to 1.0e+00 in the last (conv7 to conv9)" in words


def test_gradients_that_are_lost_behind_the_very_last_layer_vanish():
    assert "up to 5.0e-01 in the last" in vanishing(layers([1e-6] * 9 + [0.5]))


def test_a_network_without_any_gradient_is_told():
    assert "the largest gradient norm of all layers is 1.0e-12, at conv1" in vanishing(layers([0.0, 1e-12, 0.0]))


@pytest.mark.parametrize(
    "gradients",
    [
        [0.3, 0.5, 0.1, 0.02, 0.05, 2.0],
        [0.3, 1e-7, 0.1, 1e-7, 0.05, 2.0],  # a layer whose scale a norm takes out again
        [1.0, 0.1, 1e-3, 1e-5],  # smaller in the last layers
        [math.nan, 0.1, 0.2, 0.3],
        [0.01, 0.1],
        [],
    ],
)
def test_healthy_gradients_do_not_vanish(gradients):
    assert vanishing(layers(gradients)) == ""


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"activation": 2e5}, "the output of conv1 has a scale of 2.0e"),
        ({"gradient_norm": 1e5}, "10000 times that of the weights, most of it in conv1"),
        ({"update_ratio": 3.0}, "changes the weights by 1.5 times their norm"),
        ({"update_ratio": math.inf}, "conv1 by inf"),
    ],
)
def test_what_is_too_large_is_named(figures, words):
    assert words in too_large(sample(**figures))


def test_usual_sizes_and_what_was_not_measured_are_not_too_large():
    assert too_large(sample(activation=50.0, gradient_norm=30.0, update_ratio=0.05)) == ""
    assert too_large(Sample(0, {"conv": LayerFigures()}, 0.0, 1.0, 0.0)) == ""


@pytest.mark.parametrize(("spread", "size"), [(1e-6, 0.0), (0.0, 5.0), (5e-3, 20.0)])
def test_an_output_that_does_not_vary_has_collapsed(spread, size):
    assert f"varies by {spread:.1e} about" in collapsed(sample(spread, size))


@pytest.mark.parametrize(("spread", "size"), [(0.05, 6.0), (1.0, 0.0), (0.01, 0.001), (math.nan, 0.0)])
def test_an_output_that_varies_has_not_collapsed_even_where_one_class_wins_everywhere(spread, size):
    assert collapsed(sample(spread, size)) == ""


def noisy(count, start=2.5, end=0.4, noise=0.3, seed=0):
    """A loss that falls, with the noise of small batches."""
    rng = np.random.default_rng(seed)
    return [end + (start - end) * math.exp(-4 * n / count) + noise * rng.gamma(2.0, 0.5) for n in range(count)]


@pytest.mark.parametrize("seed", range(10))
def test_a_noisy_loss_that_falls_is_no_spike(seed):
    spike = LossSpike()
    assert [words for loss in noisy(1000, seed=seed) if (words := spike.check(loss))] == []


def test_a_loss_that_jumps_and_stays_is_a_spike_after_three_steps():
    spike = LossSpike()
    for loss in noisy(200):
        spike.check(loss)
    found = [bool(spike.check(6.0)) for _ in range(4)]
    assert found == [False, False, True, True]


def test_a_single_hard_batch_is_only_suspicious_and_an_absurd_one_is_a_spike():
    spike = LossSpike()
    for loss in noisy(200):
        spike.check(loss)
    assert spike.check(4.0) == ""
    assert spike.suspicious
    assert "it is 1e+03" in spike.check(1000.0)
    assert spike.check(0.6) == ""
    assert not spike.suspicious


def test_losses_that_are_all_equal_or_negative_are_no_spikes():
    spike = LossSpike()
    assert [spike.check(value) for value in [1.0] * 50 + [-3.0] * 200] == [""] * 250


def test_a_gradient_far_beyond_its_running_median_has_exploded():
    explosion = Explosion()
    healthy = np.random.default_rng(0).lognormal(0.0, 1.0, 300)
    assert not any(explosion.check(float(norm)) for norm in healthy)
    assert "times its running median" in explosion.check(1e4)


def test_an_explosion_needs_some_steps_to_compare_with():
    assert Explosion().check(1e9) == ""


def test_an_alarm_rings_once_until_it_has_passed_and_comes_again():
    alarm = Alarm(patience=2, quiet=3)
    checks = "0110 1111 0011 0001 1"
    rung = [alarm.rings(c == "1") for c in checks.replace(" ", "")]
    assert [n for n, ring in enumerate(rung) if ring] == [2, 16]
