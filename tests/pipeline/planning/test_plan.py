import dataclasses

import pytest

from pipeline.config.errors import UsageError
from pipeline.planning.budget import Budget
from pipeline.planning.fitting import Fitted, Rung, Scale
from pipeline.planning.noted import plain
from pipeline.planning.plan import data_root, fit_within, steps_warnings, trainer_section
from pipeline.planning.reserve import Reserve
from pipeline.planning.trial import Measured, Trial

GIB = 2**30
UNET = {
    "class_path": "networks.unet.UNet",
    "init_args": {"in_channels": 1, "out_channels": 2, "spatial_dims": 2, "channels": [8, 16]},
}


def test_a_step_has_what_is_left_of_the_memory(make_options, tmp_path):
    options = make_options(tmp_path)
    assert 0 < options.limits.memory_bytes < 4 * GIB
    assert "4.0 GiB, as was asked for" in options.memory_words


def test_without_a_number_most_of_what_is_free_is_taken(make_options, tmp_path, cpu):
    options = make_options(tmp_path, memory_bytes=None)
    assert options.limits.memory_bytes < 0.8 * cpu.free_bytes
    assert "80% of what is free" in options.memory_words


def test_memory_that_a_training_needs_without_any_step_is_refused(make_options, tmp_path):
    with pytest.raises(UsageError, match="--memory: expected more than"):
        _ = make_options(tmp_path, memory_bytes=GIB).limits


def test_f29_memory_too_little_for_any_network_is_refused_with_the_estimate(make_options, tmp_path):
    options = make_options(tmp_path, memory_bytes=Reserve().bytes + 2**20)
    with pytest.raises(UsageError, match=r"too little for any network: edge 64 takes .* give more"):
        fit_within([Rung(Trial(UNET, (2, 1, 256, 256)), "edge 64")], options, Scale())


def test_the_trainer_gets_what_was_measured(make_options, tmp_path):
    found = plain(trainer_section(make_options(tmp_path, 600), 1.0))
    assert found["max_time"] == "00:00:10:00"
    assert (found["accelerator"], found["devices"], found["precision"]) == ("cpu", 1, "32-true")


def test_few_steps_and_slow_steps_are_told(make_options, tmp_path):
    options = make_options(tmp_path, 60)
    slow = Fitted(0, Measured(1, 2.0), in_time=False, trials=1)
    assert len(steps_warnings(options, slow, 2.0)) == 2
    quick = dataclasses.replace(options, budget=Budget("cpu", 3600))
    assert steps_warnings(quick, Fitted(0, Measured(1, 0.5), in_time=True, trials=1), 0.5) == []
    weeks = dataclasses.replace(options, budget=Budget("cpu", 30 * 86400))
    (told,) = steps_warnings(weeks, Fitted(0, Measured(1, 0.5), in_time=True, trials=1), 0.5)
    assert "beyond 100000" in told
    busy = Fitted(0, Measured(1, 0.5, busy=True), in_time=True, trials=1)
    assert "other programs" in steps_warnings(quick, busy, 0.5)[0]


def test_the_data_is_named_from_the_root_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert data_root((tmp_path / "data").relative_to(tmp_path)).value == str(tmp_path / "data")
