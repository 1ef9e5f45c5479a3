import pytest
import torch
from torch import nn

from pipeline.tasks.base import Task, TrainingError


class Linear(Task):
    """The smallest task."""

    def __init__(self, optimizer="adamw"):
        super().__init__(lambda i, o: None, optimizer, 0.1, 0.01, 0.05, 0.0)
        self.network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))

    def check(self, data):
        raise NotImplementedError

    def finish(self, trainer, folder):
        raise NotImplementedError


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_weight_decay_is_for_kernels_alone(name, kind):
    task = Linear(name)
    optimizer = task.configure_optimizers()
    assert isinstance(optimizer, kind)
    shrunk, kept = optimizer.param_groups
    assert [tuple(p.shape) for p in shrunk["params"]] == [(2, 1, 3, 3)]
    assert shrunk["weight_decay"] == 0.01
    assert kept["weight_decay"] == 0.0
    assert len(kept["params"]) == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_f06_non_finite_loss_names_the_cases_and_where_it_came_from(value, monkeypatch):
    task, image = Linear(), torch.rand(2, 1, 8, 8)
    monkeypatch.setattr(Task, "trainer", type("Trainer", (), {"global_step": 7, "world_size": 1})())
    task.refuse_non_finite(torch.tensor(1.0), image, ["fine"])
    with pytest.raises(TrainingError, match=r"step 7.*case_a, case_b \(.*the loss itself went bad\)"):
        task.refuse_non_finite(torch.tensor(value), image, ["case_a", "case_b"])
    with torch.no_grad():
        task.network[0].weight[:] = 1e38
    with pytest.raises(TrainingError, match=r"the output of layer 0 \(Conv2d\) is the first that is not finite"):
        task.refuse_non_finite(torch.tensor(value), image, ["case_a", "case_b"])
