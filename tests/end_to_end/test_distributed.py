import csv
import json
import os
import subprocess
import sys

import torch

BUDGET = [
    *("--trainer.max_time", "null", "--trainer.max_epochs", "4", "--data.steps_per_epoch", "2", "--data.workers", "0"),
    *("--data.patch_size", "[16,16,16]", "--model.network.channels", "[4,8,8]", "--model.network.strides", "[1,2,2]"),
    *("--model.network.unit", "plain", "--model.network.units_per_level", "1"),
]


def train_on_two_ranks(work, volumes, *arguments):
    command = [sys.executable, "-m", "pipeline", "train", "--config", "unet_ct.yaml", "--data.root", str(volumes)]
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
    done = train_on_two_ranks(work, volumes, *sick)
    assert done.returncode == 1
    assert "expected a finite loss, found nan" in done.stderr
    assert "is the first that is not finite" in done.stderr or "held values that are not finite" in done.stderr
    (checkpoint,) = work.glob("mlruns/artifacts/*/*/artifacts/checkpoints/before_failure.ckpt")
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_two_processes_make_one_run_with_all_validation_cases(work, volumes):
    done = train_on_two_ranks(work, volumes, "--debug")
    assert done.returncode == 0, done.stderr
    assert "Starting with 2 processes" in done.stderr
    (folder,) = work.glob("mlruns/artifacts/*/*/artifacts")
    split = json.loads((folder / "split.json").read_text())
    scored = {row["case"] for row in csv.DictReader((folder / "validation" / "scores.csv").open())}
    assert scored == set(split["validation"])
    assert len(split["validation"]) == 3
    assert done.stderr.count("model folder") == 1
