import csv
import json
import os
import subprocess
import sys

import torch

BUDGET = [
    *("--trainer.max_time", "null", "--trainer.max_epochs", "4", "--data.steps_per_epoch", "2", "--data.workers", "0"),
]
UNET = [
    *("--data.patch_size", "[16,16,16]", "--model.network.channels", "[4,8,8]", "--model.network.strides", "[1,2,2]"),
    *("--model.network.unit", "plain", "--model.network.units_per_level", "1"),
]
HOURGLASS = [
    *("--data.input_size", "[64,64]", "--data.batch_size", "2", "--model.network.stacks", "1"),
    *("--model.network.features", "8", "--model.network.depth", "2"),
]


def train_on_two_ranks(work, config, root, *arguments):
    command = [sys.executable, "-m", "pipeline", "train", "--config", config, "--data.root", str(root)]
    ranks = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    return subprocess.run(
        [*command, *BUDGET, *ranks, "--data.split.folds", "2", "--data.cache_dir", str(work / "cache"), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_f06_two_processes_stop_together_and_leave_the_state_from_before(work, volumes):
    sick = ["--model.learning_rate", "1e30", "--trainer.precision", "32-true", "--trainer.gradient_clip_val", "0"]
    done = train_on_two_ranks(work, "unet_ct.yaml", volumes, *UNET, *sick)
    assert done.returncode == 1
    assert "expected a finite loss, found nan" in done.stderr
    assert "is the first that is not finite" in done.stderr or "held values that are not finite" in done.stderr
    (checkpoint,) = work.glob("mlruns/artifacts/*/*/artifacts/checkpoints/before_failure.ckpt")
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_two_processes_make_one_run_with_all_validation_cases(work, volumes):
    done = train_on_two_ranks(work, "unet_ct.yaml", volumes, *UNET, "--debug")
    assert done.returncode == 0, done.stderr
    assert "Starting with 2 processes" in done.stderr
    (folder,) = work.glob("mlruns/artifacts/*/*/artifacts")
    split = json.loads((folder / "split.json").read_text())
    scored = {row["case"] for row in csv.DictReader((folder / "validation" / "scores.csv").open())}
    assert scored == set(split["validation"])
    assert len(split["validation"]) == 3
    assert done.stderr.count("model folder") == 1


def test_two_processes_find_the_joints_of_all_validation_subjects(work, figures):
    done = train_on_two_ranks(work, "hourglass_person.yaml", figures, *HOURGLASS, "--trainer.max_epochs", "1")
    assert done.returncode == 0, done.stderr
    (folder,) = work.glob("mlruns/artifacts/*/*/artifacts")
    split = json.loads((folder / "split.json").read_text())
    predicted = {row["case"] for row in csv.DictReader((folder / "validation" / "predictions.csv").open())}
    assert predicted == set(split["validation"])
    assert done.stderr.count("model folder") == 1
