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
