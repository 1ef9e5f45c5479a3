"""`pipeline train` on rendered figures: the configs of poses, with networks too small to be good."""

import csv
import json

import cv2
import numpy as np
import pytest
import yaml
from safetensors.torch import load_file

from pipeline.cli import main
from pipeline.config.files import find_config, shipped_names
from pipeline.tracking.store import embedded_uri, open_client

HOURGLASS = ["--model.network.stacks", "2", "--model.network.features", "8", "--model.network.depth", "2"]
UNET = ["--model.network.channels", "[8,8]"]
SMALL = ["--data.input_size", "[64,64]", "--data.batch_size", "2"]
NARROW = {
    "hourglass_person.yaml": HOURGLASS,
    "hourglass_mouse.yaml": HOURGLASS,
    "unet_person.yaml": UNET,
}


def test_no_pose_config_is_left_out():
    assert set(NARROW) == {name for name in shipped_names() if "PoseTask" in find_config(name).read_text()}


@pytest.mark.parametrize("name", NARROW)
def test_every_pose_config_trains_and_leaves_a_whole_run(name, train, work, figures):
    folder = train(name, "--data.root", str(figures), *SMALL, *NARROW[name])
    model = json.loads((folder / "model" / "model.json").read_text())
    assert load_file(folder / "model" / "weights.safetensors")
    assert model["task"] == "pose"
    assert len(model["labels"]["names"]) == 14
    assert 0.0 <= model["metrics"]["pck@0.2"] <= 1.0
    assert model["metrics"]["rmse_px"] > 0
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["data"]["init_args"]["input_size"] == [64, 64] == model["preprocessing"]["input_size"]
    split = json.loads((folder / "split.json").read_text())
    predicted = list(csv.DictReader((folder / "validation" / "predictions.csv").open()))
    assert {row["case"] for row in predicted} == set(split["validation"])
    assert len(predicted) == 14 * len(split["validation"])
    for picture in ("curves.png", "health.png", "reliability.png"):
        assert len(np.unique(cv2.imread(str(folder / "pictures" / picture)))) > 10
    run = open_client(embedded_uri(work / "mlruns")).get_run(folder.parent.name)
    assert run.info.status == "FINISHED"
    assert {"train/loss_epoch", "final/rmse_px"} <= set(run.data.metrics)


def test_equal_seeds_give_equal_weights(train, figures):
    small = ["--data.root", str(figures), *SMALL, *HOURGLASS]
    runs = [train("hourglass_person.yaml", *small, "--seed_everything", seed) for seed in ("0", "0", "1")]
    weights = [json.loads((run / "model" / "model.json").read_text())["weights_sha256"] for run in runs]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data.input_size", "[100,64]"], "data.input_size: expected multiples of 16"),
        (["--model.network", "Classifier"], "found Classifier of classes"),
        (["--model.hard_joints", "0"], "hard_joints: expected at least 1"),
        (["--model.codec.method", "dork"], "dork"),
        (["--data", "SegmentationData"], "data: expected PoseData, as model is PoseTask, found SegmentationData"),
    ],
)
def test_f34_what_does_not_fit_is_refused_before_any_work(arguments, message, work, figures, capfd):
    network = [] if "Classifier" in arguments else HOURGLASS
    size = [] if "SegmentationData" in arguments else SMALL
    command = ["train", "--config", "hourglass_person.yaml", "--data.root", str(figures), *size, *network]
    if "SegmentationData" in arguments or "Classifier" in arguments:
        section, value = arguments
        text = "model:\n  class_path: PoseTask\n  init_args:\n    network: {}\ndata:\n  class_path: {}\n"
        network = "Classifier" if section == "--model.network" else "Hourglass"
        (work / "mine.yaml").write_text(text.format(network, value if section == "--data" else "PoseData"))
        command, arguments = ["train", "--config", "mine.yaml", "--data.root", str(figures)], []
    assert main([*command, *arguments]) == 2
    assert message in capfd.readouterr().err
    assert not (work / "mlruns" / "artifacts").exists()
