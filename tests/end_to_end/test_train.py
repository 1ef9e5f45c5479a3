import csv
import json
import shutil

import cv2
import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.utils._pytree import tree_leaves

from pipeline.cli import main
from pipeline.config.files import find_config, shipped_names
from pipeline.tracking.store import embedded_uri, open_client

NARROW = [
    "--model.network.channels",
    "[4,8,8]",
    "--model.network.strides",
    "[1,2,2]",
    "--model.network.unit",
    "basic",
    "--model.network.units_per_level",
    "1",
]
SMALL_3D = [*NARROW, "--data.patch_size", "[16,16,16]"]
SMALL_2D = [*NARROW, "--data.patch_size", "[32,32]"]


def budget_for(config, volumes, slices):
    """The data and the network's size that make a shipped config quick."""
    root, small = (slices, SMALL_2D) if config == "unet_em.yaml" else (volumes, SMALL_3D)
    return ["--data.root", str(root), *small]


SHIPPED = [name for name in shipped_names() if "PoseTask" not in find_config(name).read_text()]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_config_trains_and_leaves_a_whole_run(name, train, volumes, slices):
    folder = train(name, *budget_for(name, volumes, slices))
    model = json.loads((folder / "model" / "model.json").read_text())
    assert load_file(folder / "model" / "weights.safetensors")
    assert 0.0 <= model["metrics"]["dice"] <= 1.0
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["data"]["init_args"]["patch_size"] == model["patch_size"]
    split = json.loads((folder / "split.json").read_text())
    assert len(split["train"]) + len(split["validation"]) == 6
    scores = list(csv.DictReader((folder / "validation" / "scores.csv").open()))
    assert {row["case"] for row in scores} == set(split["validation"])
    assert (folder / "pictures" / "curves.png").stat().st_size > 1000
    assert list((folder / "pictures").glob("best-1_*.png"))
    assert json.loads((folder / "environment.json").read_text())


def test_the_run_holds_parameters_metrics_and_an_end(train, work, volumes):
    folder = train("unet_ct.yaml", "--data.root", str(volumes), *SMALL_3D)
    run = open_client(embedded_uri(work / "mlruns")).get_run(folder.parent.name)
    assert run.info.status == "FINISHED"
    assert run.data.params["model.network.channels"] == "[4, 8, 8]"
    assert run.data.params["data.digest"] == json.loads((folder / "model" / "model.json").read_text())["data_digest"]
    assert {"train/loss_epoch", "validation/dice", "final/dice", "final/dice/liver"} <= set(run.data.metrics)


def test_equal_seeds_give_equal_weights(train, volumes):
    small = ["--data.root", str(volumes), *SMALL_3D]
    first, again = train("unet_ct.yaml", *small), train("unet_ct.yaml", *small)
    other = train("unet_ct.yaml", *small, "--seed_everything", "1")
    weights = [json.loads((f / "model" / "model.json").read_text())["weights_sha256"] for f in (first, again, other)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_overlapping_structures_train_with_one_channel_each(train, volumes, tmp_path):
    root = tmp_path / "regions"
    root.mkdir()
    for name in ("imagesTr", "labelsTr"):
        (root / name).symlink_to(volumes / name)
    description = json.loads((volumes / "dataset.json").read_text())
    description["labels"] = {"background": 0, "bone": [2, 3], "organs": [4, 5, 6], "inside": [1, 2, 4, 5, 6]}
    (root / "dataset.json").write_text(json.dumps(description))
    folder = train("unet_ct.yaml", "--data.root", str(root), *SMALL_3D)
    model = json.loads((folder / "model" / "model.json").read_text())
    assert model["labels"]["overlapping"]
    assert {"dice/bone", "dice/organs", "dice/inside"} <= set(model["metrics"])


def test_the_unpadded_network_of_2015_trains_and_predicts_whole_images(train, slices):
    unpadded = ["--model.network.padding", "valid", "--model.network.downsampling", "max"]
    plain = [
        "--model.network.unit",
        "plain",
        "--model.network.norm",
        "none",
        "--model.network.deep_supervision",
        "false",
    ]
    narrow = [*NARROW[:-1], "2", "--data.patch_size", "[92,92]"]
    folder = train("unet_em.yaml", "--data.root", str(slices), *narrow, *unpadded, *plain)
    mask = cv2.imread(str(next((folder / "validation" / "predictions").glob("*.png"))), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (80, 96)
    assert set(np.unique(mask)) <= {0, 255}


def test_labels_on_another_grid_train_when_told_to_resample(train, volumes, tmp_path):
    root = tmp_path / "shifted"
    shutil.copytree(volumes, root)
    for path in (root / "labelsTr").iterdir():
        label = nib.load(path)
        affine = label.affine.copy()
        affine[:3, 3] += 0.5
        nib.save(nib.Nifti1Image(np.asarray(label.dataobj), affine), path)
    folder = train("unet_ct.yaml", "--data.root", str(root), *SMALL_3D, "--data.resample_labels", "true")
    assert (folder / "validation" / "scores.csv").exists()
    assert len(list((folder / "pictures").glob("*_errors.png"))) == 2


def test_f06_a_non_finite_loss_stops_names_cases_and_layer_and_keeps_what_was_before(work, volumes, capfd):
    status = main(
        ["train", "--config", "unet_ct.yaml", "--data.root", str(volumes), *SMALL_3D, "--data.workers", "0",
         "--data.cache_dir", str(work / "cache"), "--trainer.max_epochs", "3", "--model.learning_rate", "1e30",
         "--trainer.precision", "32-true", "--trainer.gradient_clip_val", "0"]
    )  # fmt: skip
    message = capfd.readouterr().err
    assert status == 1
    assert "step 1: expected a finite loss, found nan for the cases phantom_" in message
    assert "the output of layer encoder." in message
    assert "is the first that is not finite" in message
    assert "a step changes the weights by inf times their norm" in message
    (run,) = open_client(embedded_uri(work / "mlruns")).search_runs(["1"])
    assert run.info.status == "FAILED"
    (folder,) = work.glob("mlruns/artifacts/*/*/artifacts")
    path = folder / "checkpoints" / "before_failure.ckpt"
    assert f"the state before step 0 is in {path}; all its weights are finite" in message
    state = torch.load(path, weights_only=True)
    assert state["global_step"] == 0
    kept = [state["state_dict"], state["optimizer_states"], state["callbacks"]["WeightEMA"]]
    assert all(torch.isfinite(leaf).all() for leaf in tree_leaves(kept) if isinstance(leaf, torch.Tensor))
    assert (folder / "pictures" / "health.png").exists()


def test_f06_voxels_that_are_no_numbers_are_refused_before_training(work, volumes, capfd, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(volumes, root)
    path = sorted((root / "imagesTr").iterdir())[0]
    image = nib.load(path)
    values = image.get_fdata().astype(np.float32)
    values[3, 3, 3] = np.nan
    nib.save(nib.Nifti1Image(values, image.affine), path)
    arguments = [
        "--data.root",
        str(root),
        *SMALL_3D,
        "--data.workers",
        "0",
        "--data.cache_dir",
        str(work / "cache"),
    ]
    assert main(["train", "--config", "unet_ct.yaml", *arguments]) == 1
    assert path.name in capfd.readouterr().err


def test_the_health_of_every_layer_is_drawn_and_logged(train, work, volumes, capfd):
    own = ["--trainer.callbacks", "HealthMonitor", "--trainer.callbacks.every_n_steps", "1"]
    folder = train("unet_ct.yaml", "--data.root", str(volumes), *SMALL_3D, *own)
    assert "warning" not in capfd.readouterr().err
    rows = list(csv.DictReader((folder / "health" / "layers.csv").open()))
    assert sorted({int(row["step"]) for row in rows}) == [0, 1, 2, 3]
    layers = [row["layer"] for row in rows if row["step"] == "0"]
    assert layers[0].startswith("encoder.")
    assert layers[-1].startswith("heads.")
    picture = cv2.imread(str(folder / "pictures" / "health.png"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    metrics = open_client(embedded_uri(work / "mlruns")).get_run(folder.parent.name).data.metrics
    assert {f"health/{kind}/{layers[0]}" for kind in ("gradient_norm", "activation", "update_ratio")} <= set(metrics)
    assert metrics["health/gradient_norm"] > 0


def test_without_data_a_config_says_what_is_missing(work, capfd):
    assert main(["train", "--config", "unet_em.yaml"]) == 1
    assert "--data.root" in capfd.readouterr().err
