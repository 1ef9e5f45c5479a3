"""The task on images whose colours are the heatmaps: what a perfect network would score."""

import json
import logging

import cv2
import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from torch import nn
from torch.nn import functional as F

from datamodules.heatmaps import HeatmapCodec
from datamodules.pose import PoseData
from networks import Hourglass
from networks.base import Network
from pipeline.config.errors import UsageError
from pipeline.tasks.pose import PoseTask

NAMES = ["left_shoulder", "right_hip", "nose"]
SIZE = (160, 120)


class Colours(Network):
    """Answers with its input's colours at a quarter of the size."""

    answers = "heatmaps"

    def __init__(self, in_channels, out_channels, spoil=None):
        super().__init__()
        self.heads = nn.ModuleList([nn.Conv2d(in_channels, out_channels, 1)])
        self.spoil = spoil

    def forward(self, image):
        maps = F.avg_pool2d(image, 4)
        maps = (maps - maps.amin((2, 3), keepdim=True)) / 4
        if self.spoil == "nan":
            maps[:, 2] = torch.nan
        return [torch.zeros_like(maps), torch.zeros_like(maps) if self.spoil == "flat" else maps]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Ten images of three blobs, the last joint of one of them unlabelled."""
    folder = tmp_path_factory.mktemp("blobs")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    images, annotations = [], []
    for number in range(10):
        places = rng.uniform([40, 30], [120, 90], (3, 2)).round(2)
        bells = [np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * 6**2)) for u, v in places]
        cv2.imwrite(str(folder / "images" / f"{number}.png"), (255 * np.stack(bells[::-1], -1)).astype(np.uint8))
        seen = [2, 2, 0 if number == 3 else 1]
        keypoints = [value for place, flag in zip(places, seen, strict=True) for value in (*(place * (flag > 0)), flag)]
        images.append({"id": number, "file_name": f"{number}.png", "width": SIZE[0], "height": SIZE[1]})
        box = {"bbox": [20, 15, 120, 90], "area": 10800, "iscrowd": 0, "num_keypoints": 3}
        annotations.append({"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints, **box})
    category = {"id": 1, "name": "blobs", "keypoints": NAMES, "skeleton": []}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def validate(root, tmp_path, spoil=None, **arguments):
    data = PoseData(root, input_size=(64, 64), batch_size=2, workers=0, cache_dir=tmp_path)
    task = PoseTask(Colours, codec=HeatmapCodec(sigma=1.5), **arguments)
    task.network, task.fraction = Colours(3, 3, spoil), 0.5
    quiet = {"enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", logger=False, precision="bf16-mixed", **quiet)
    trainer.datamodule = data
    (scores,) = trainer.validate(task, datamodule=data, verbose=False)
    return scores


def test_errors_are_in_pixels_of_the_original_and_not_rounded_by_autocast(root, tmp_path):
    scores = validate(root, tmp_path)
    assert scores["validation/pck"] == 1.0
    # A pixel of the input is 2.3 of the original, a cell four of those.
    assert 0 < scores["validation/rmse_px"] < 0.4


def test_a_prediction_that_is_no_number_is_a_miss(root, tmp_path):
    scores = validate(root, tmp_path, "nan")
    assert scores["validation/pck_nose"] == 0.0
    assert scores["validation/pck_right_hip"] == 1.0
    assert 0.5 < scores["validation/pck"] < 1.0


def test_all_maps_flat_is_said(root, tmp_path, caplog):
    validate(root, tmp_path)
    assert "all heatmaps are flat" not in caplog.text
    validate(root, tmp_path, "flat")
    assert "all heatmaps are flat: the network says nothing of any joint" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"norm": "head"}, "head"), ({"norm_joints": ("nose", "tail")}, "found tail"), ({"norm": "torso"}, None)],
)
def test_f34_a_norm_that_the_data_does_not_have_is_refused_by_its_key(root, tmp_path, arguments, message, caplog):
    if message is None:
        caplog.set_level(logging.INFO)
        validate(root, tmp_path, **arguments)
        assert "left_shoulder and right_hip" in caplog.text
    else:
        with pytest.raises(UsageError, match=rf"model\.norm.*{message}"):
            validate(root, tmp_path, **arguments)


def test_heads_start_with_answers_near_zero(root, tmp_path):
    data = PoseData(root, input_size=(64, 64), workers=0, cache_dir=tmp_path)
    task = PoseTask(lambda channels, joints: Hourglass(channels, joints, features=8, depth=2))
    task.trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False)
    task.trainer.datamodule = data
    data.prepare_data()
    torch.manual_seed(0)
    task.configure_model()
    with torch.no_grad():
        maps = task.network(torch.randn(2, 3, 64, 64))
    assert 0 < max(float(each.abs().max()) for each in maps) < 0.2
