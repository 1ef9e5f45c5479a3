import csv
import json
import os
import subprocess
import sys

BUDGET = [
    *("--trainer.max_time", "null", "--trainer.max_epochs", "4", "--data.steps_per_epoch", "2", "--data.workers", "0"),
    *("--data.patch_size", "[16,16,16]", "--model.network.channels", "[4,8,8]", "--model.network.strides", "[1,2,2]"),
    *("--model.network.unit", "plain", "--model.network.units_per_level", "1"),
]


def test_two_processes_make_one_run_with_all_validation_cases(work, volumes):
    command = [sys.executable, "-m", "pipeline", "train", "--config", "unet_ct.yaml", "--data.root", str(volumes)]
    ranks = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    done = subprocess.run(
        [*command, *BUDGET, *ranks, "--data.split.folds", "2", "--data.cache_dir", str(work / "cache"), "--debug"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Starting with 2 processes" in done.stderr
    (folder,) = work.glob("mlruns/artifacts/*/*/artifacts")
    split = json.loads((folder / "split.json").read_text())
    scored = {row["case"] for row in csv.DictReader((folder / "validation" / "scores.csv").open())}
    assert scored == set(split["validation"])
    assert len(split["validation"]) == 3
    assert done.stderr.count("model folder") == 1
