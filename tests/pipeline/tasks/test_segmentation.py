import subprocess
import sys

import pytest

from datamodules.labels import LabelSet, Structure
from pipeline.tasks.segmentation import SegmentationTask


@pytest.fixture
def task(monkeypatch):
    labels = LabelSet((Structure("background", (0,)), Structure("liver", (1,)), Structure("spleen", (2,))))
    made = SegmentationTask(lambda i, o: None)
    monkeypatch.setattr(SegmentationTask, "data", type("Data", (), {"labels": labels})())
    return made


def test_f16_a_structure_in_no_case_is_left_out_of_the_mean(task):
    means = task._mean_scores({"a": {"liver": 0.5}, "b": {"liver": 0.9}})
    assert means == pytest.approx({"dice_liver": 0.7, "dice": 0.7})


def test_f16_the_monitor_is_a_number_when_there_is_nothing_to_score(task):
    assert task._mean_scores({"a": {}}) == {"dice": 0.0}


def test_the_mean_is_that_of_the_structures(task):
    scores = {"a": {"liver": 1.0, "spleen": 0.0}, "b": {"liver": 0.0}, "c": {"liver": 0.5}}
    assert task._mean_scores(scores)["dice"] == pytest.approx((0.5 + 0.0) / 2)


RANK = """
import sys
import torch.distributed as dist
from pipeline.tasks.base import Task, TrainingError
from pipeline.tasks.segmentation import SegmentationTask
import torch

rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
Task.trainer = type("Trainer", (), {"world_size": 2, "global_step": 3})()
task = SegmentationTask(lambda i, o: None)
task.case_dice = {f"own_{rank}": {"liver": float(rank)}, "shared": {"liver": 0.5}}
assert task._gather() == {"own_0": {"liver": 0.0}, "own_1": {"liver": 1.0}, "shared": {"liver": 0.5}}
task.network, image = torch.nn.Conv2d(1, 1, 1), torch.rand(1, 1, 2, 2)
task.refuse_non_finite(torch.tensor(1.0), image, ["fine"])
try:
    task.refuse_non_finite(torch.tensor(float("nan") if rank else 1.0), image, [f"case_{rank}"])
except TrainingError as error:
    print(error)
dist.destroy_process_group()
"""


def test_f06_two_ranks_share_scores_and_stop_together(tmp_path):
    command = [sys.executable, "-c", RANK]
    ranks = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "store")], stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=120)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0]
    for message in said:
        assert "step 3: expected a finite loss, found nan for the cases case_1 (weights, images and" in message
        assert "case_0" not in message
