import dataclasses
import math

import pytest

from pipeline.planning.costs import estimate
from pipeline.planning.fitting import MOST_TRIALS, DoesNotFitError, Limits, Rung, Scale, fit
from pipeline.planning.trial import Measured, Trial

MIB = 2**20


def trial_of(edge):
    arguments = {"in_channels": 1, "out_channels": 2, "spatial_dims": 2, "channels": [8, 16]}
    return Trial({"class_path": "networks.unet.UNet", "init_args": arguments}, (2, 1, edge, edge))


LADDER = [Rung(trial_of(edge), f"edge {edge}") for edge in (512, 384, 256, 192, 128, 96, 64, 32)]


class Laboratory:
    """A machine whose memory and time follow the arithmetic by a factor of its own."""

    def __init__(self, memory=1.5, rate=1e9, holds=math.inf):
        self.memory, self.rate, self.holds, self.taken = memory, rate, holds, []

    def true(self, trial):
        cost = estimate(trial)
        return Measured(int(self.memory * cost.bytes), cost.multiply_adds / self.rate)

    def __call__(self, trial, limit_bytes):
        self.taken.append(trial)
        found = self.true(trial)
        return found if found.peak_bytes <= self.holds else Measured(limit_bytes, math.inf)

    def best(self, limits):
        return next(index for index, rung in enumerate(LADDER) if limits.hold(self.true(rung.trial)))


@pytest.mark.parametrize("memory", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("limit", [20, 60, 200])
def test_the_most_wanted_that_fits_the_memory_is_found(memory, limit):
    laboratory = Laboratory(memory)
    limits = Limits(limit * MIB)
    found = fit(LADDER, limits, take=laboratory)
    assert limits.hold(found.measured)
    assert found.index - laboratory.best(limits) in (0, 1)  # a prediction at the very limit counts as over it
    assert found.trials == len(laboratory.taken) <= MOST_TRIALS
    assert found.in_time


@pytest.mark.parametrize("rate", [1e7, 1e9, 1e12])
def test_the_most_wanted_that_fits_the_time_is_found(rate):
    laboratory = Laboratory(rate=rate)
    limits = Limits(2**40, 3e8 / rate)
    found = fit(LADDER, limits, take=laboratory)
    assert found.in_time
    assert found.index == laboratory.best(limits)


def test_memory_that_runs_out_is_a_reason_to_try_less():
    laboratory = Laboratory(memory=8.0, holds=100 * MIB)
    found = fit(LADDER, Limits(100 * MIB), take=laboratory)
    assert found.measured.ran
    assert found.measured.peak_bytes <= 100 * MIB


def test_where_no_step_is_fast_enough_the_least_is_taken_and_it_is_said():
    found = fit(LADDER, Limits(2**40, 1e-9), take=Laboratory())
    assert not found.in_time
    assert LADDER[found.index].words == "edge 32"


def test_what_does_not_fit_at_all_is_an_error_with_its_size():
    with pytest.raises(DoesNotFitError, match="edge 32 takes"):
        fit(LADDER, Limits(1000), take=Laboratory())


def test_what_one_search_has_taught_spares_the_next_a_measurement():
    laboratory, scale = Laboratory(memory=5.0, rate=1e6), Scale()
    limits = Limits(100 * MIB, 1000.0)
    fit(LADDER, limits, scale, laboratory)
    assert fit(LADDER, limits, scale, laboratory).trials == 1


def test_a_real_step_is_measured_if_nothing_else_is_said():
    found = fit(LADDER[-2:], Limits(2**30))
    assert found.measured.ran
    assert found.index == 0


def test_after_the_least_has_failed_nothing_larger_is_measured():
    laboratory = Laboratory(holds=0)
    with pytest.raises(DoesNotFitError):
        fit(LADDER, Limits(1000), take=laboratory)
    assert [trial.shape[-1] for trial in laboratory.taken] == [32]


def test_a_rung_for_want_of_memory_is_not_taken_for_its_speed():
    ladder = [dataclasses.replace(rung, for_memory=number >= 4) for number, rung in enumerate(LADDER)]
    slow = fit(ladder, Limits(2**40, 1e-9), take=Laboratory())
    assert (slow.index, slow.in_time) == (3, False)
    assert slow.bound == "time"
    small = fit(ladder, Limits(20 * MIB, 1e-9), take=Laboratory())
    assert small.index >= 4
    assert small.bound == "memory"


def test_a_trial_is_not_measured_twice():
    laboratory, known = Laboratory(), {}
    for _ in range(2):
        fit(LADDER, Limits(60 * MIB), take=laboratory, known=known)
    assert len(laboratory.taken) == len(set(map(repr, laboratory.taken))) == len(known)
