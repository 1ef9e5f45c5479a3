import dataclasses
from pathlib import Path

import pytest

from pipeline.planning.fitting import Fitted
from pipeline.planning.grid_choice import choose_grid
from pipeline.planning.machine import Machine
from pipeline.planning.noted import Noted, plain
from pipeline.planning.segmentation_config import Found, _batch_dice, config_of
from pipeline.planning.trial import Measured
from pipeline.planning.unet_ladder import build_ladder

GPU = Machine("cuda", "cuda", "a GPU", "bf16-mixed", "", 2**34)


@pytest.fixture
def make_found(make_facts, make_fingerprint, make_listing, cpu):
    def make(machine=cpu, step_s=1.0, split=None):
        facts = [make_facts(str(n), shape=(60, 60, 60)) for n in range(6)]
        fingerprint = make_fingerprint(facts)
        grid = choose_grid(fingerprint, facts, ["ct"])
        listing = dataclasses.replace(make_listing(facts), split=split)
        choice = build_ladder(grid, machine, 10**9)[0]
        fitted = Fitted(0, Measured(2**30, step_s), in_time=True, trials=1)
        mirror = {"mirror_axes": Noted([0], "")}
        return Found(listing, None, 5, Noted("ct", ""), mirror, grid, choice, fitted, step_s, fingerprint)

    return make


def test_a_long_training_on_a_gpu_is_nnunets(make_found, make_options):
    options = make_options(Path("data"), machine=GPU)
    options = dataclasses.replace(options, budget=dataclasses.replace(options.budget, kind="cuda", seconds=86400.0))
    model = plain(config_of(make_found(GPU, 0.2), options))["model"]["init_args"]
    assert model["optimizer"] == "sgd"
    assert model["learning_rate"] == 0.01
    assert model["network"]["init_args"]["stem"] == "convolution"
    assert model["network"]["init_args"]["units_per_level"][:3] == [1, 3, 4]


def test_a_short_training_takes_the_optimiser_that_learns_soon(make_found, make_options):
    model = plain(config_of(make_found(), make_options(Path("data"))))["model"]["init_args"]
    assert model["optimizer"] == "adamw"
    assert "weight_decay" not in model


def test_options_of_the_user_stand_in_the_config(make_found, make_options, tmp_path):
    options = make_options(Path("data"), labels={"a": 1}, group_pattern="(.)", spacing_mm=(1.0, 1.0, 2.0))
    found = dataclasses.replace(make_found(), declared={"a": 1})
    data = plain(config_of(found, options))["data"]["init_args"]
    assert data["labels"] == {"a": 1}
    assert data["spacing_mm"] == [1.0, 1.0, 2.0]
    assert data["split"]["group_pattern"] == "(.)"
    assert data["cache_dir"] == str(tmp_path / "cache")


def test_the_data_sets_own_split_is_not_dealt_anew(make_found, make_options):
    from datamodules.splits import Split

    found = make_found(split=Split(("0", "1"), ("2",)))
    assert "folds" not in plain(config_of(found, make_options(Path("data"))))["data"]["init_args"]["split"]


def test_dice_is_of_the_batch_where_a_structure_is_not_in_every_case(make_found, make_options):
    found = make_found()
    flat = dataclasses.replace(found.grid, dims=2, shape=(60, 60, 1))
    images = dataclasses.replace(found, grid=flat)
    assert _batch_dice(images)[0] is False
    rare = dataclasses.replace(found.fingerprint.structures["organ"], cases=2)
    lacking = dataclasses.replace(found.fingerprint, structures={"organ": rare})
    over, why = _batch_dice(dataclasses.replace(images, fingerprint=lacking))
    assert over
    assert "organ in 2 of 6" in why
    assert _batch_dice(dataclasses.replace(found, grid=dataclasses.replace(flat, shape=(60, 60, 9))))[0]


def test_shear_that_is_welcome_stands_in_the_config(make_found, make_options):
    for sheared, expected in (("resample", "resample"), ("refuse", None)):
        data = plain(config_of(make_found(), make_options(Path("data"), sheared=sheared)))["data"]["init_args"]
        assert data["preprocessing"].get("sheared") == expected
