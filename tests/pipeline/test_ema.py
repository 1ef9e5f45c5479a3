import logging
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from pipeline.ema import WeightEMA


class Task(pl.LightningModule):
    """A network with a batch norm, and a buffer of its own that is no part of the average."""

    def __init__(self, fail_in_validation: bool = False) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
        self.register_buffer("count", torch.zeros(1))
        self.fail_in_validation = fail_in_validation
        self.trained: list[dict[str, Tensor]] = []
        self.validated: list[dict[str, Tensor]] = []

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self.count += 1
        return self.network(batch[0]).square().mean()

    def on_train_batch_end(self, *arguments: object) -> None:
        self.trained.append(snapshot(self))

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.count += 1
        self.validated.append(snapshot(self))
        if self.fail_in_validation and not self.trainer.sanity_checking:
            raise RuntimeError("no")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def snapshot(task: Task) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in task.network.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def loader() -> DataLoader:
    data = torch.rand(16, 2, generator=torch.Generator().manual_seed(1))
    return DataLoader(TensorDataset(data), batch_size=4)


def fit(folder: Path, task: Task, ema: WeightEMA, epochs: int, ckpt: Path | None = None, **options) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=epochs,
        callbacks=[ema],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **options,
    )
    trainer.fit(task, loader(), loader(), ckpt_path=ckpt)
    return trainer


@pytest.fixture(autouse=True)
def _quiet_and_seeded():
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.manual_seed(0)


def averaged(start: dict[str, Tensor], trained: list[dict[str, Tensor]], decay: float) -> dict[str, Tensor]:
    """The definition, written out; statistics of the batch norm are copied."""
    average = dict(start)
    for n, weights in enumerate(trained):
        keep = min(decay, (1 + n) / (10 + n))
        for name, value in weights.items():
            copied = "running" in name or "num_batches" in name
            average[name] = value if copied else keep * average[name] + (1 - keep) * value
    return average


@pytest.mark.parametrize("decay", [0.999, 0.15])
def test_the_average_is_that_of_the_definition_and_ends_in_the_network(tmp_path, decay):
    task, ema = Task(), WeightEMA(decay)
    start = snapshot(task)
    fit(tmp_path, task, ema, epochs=2)
    assert ema.updates == 8
    expected = averaged(start, task.trained, decay)
    for name, tensor in snapshot(task).items():
        torch.testing.assert_close(tensor, expected[name])
    assert "count" not in ema.average


def test_validation_sees_the_average_and_training_its_own_weights(tmp_path):
    task, ema = Task(), WeightEMA()
    start = snapshot(task)
    fit(tmp_path, task, ema, epochs=2)
    sanity, first = task.validated[0], task.validated[2]  # two batches are the sanity check's
    assert same(sanity, start)
    expected = averaged(start, task.trained[:4], 0.999)
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, expected[name])
    assert not same(first, task.trained[3])
    # A run that never validates goes through the same weights.
    alone = Task()
    alone.load_state_dict({**task.state_dict(), **{f"network.{k}": v for k, v in start.items()}})
    fit(tmp_path, alone, WeightEMA(), epochs=2, limit_val_batches=0)
    assert all(same(ours, theirs) for ours, theirs in zip(task.trained, alone.trained, strict=True))


def test_accumulated_batches_count_once(tmp_path):
    ema = WeightEMA()
    fit(tmp_path, Task(), ema, epochs=1, accumulate_grad_batches=2)
    assert ema.updates == 2


def test_f20_a_resumed_run_has_the_same_average_to_the_bit(tmp_path):
    whole = Task()
    start = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    fit(tmp_path, whole, WeightEMA(), epochs=4, accumulate_grad_batches=2)
    half = Task()
    half.load_state_dict(start)
    # Written while the average is in the network: it must hold the trained weights even so.
    trainer = fit(tmp_path, half, WeightEMA(), epochs=2, accumulate_grad_batches=2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    stored = torch.load(tmp_path / "half.ckpt", weights_only=True)
    assert torch.equal(stored["state_dict"]["network.0.weight"], half.trained[-1]["0.weight"])
    resumed = Task()
    ema = WeightEMA()
    fit(tmp_path, resumed, ema, epochs=4, ckpt=tmp_path / "half.ckpt", accumulate_grad_batches=2)
    assert ema.updates == 8
    assert same(snapshot(resumed), snapshot(whole))


def test_a_stored_average_is_validated_without_a_fit(tmp_path):
    task = Task()
    trainer = fit(tmp_path, task, WeightEMA(), epochs=1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    other = Task()
    again = pl.Trainer(
        callbacks=[WeightEMA()],
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    )
    again.validate(other, loader(), ckpt_path=tmp_path / "last.ckpt", verbose=False)
    assert same(other.validated[0], snapshot(task))
    assert same(snapshot(other), task.trained[-1])


def test_an_exception_in_validation_gives_the_network_its_weights_back(tmp_path):
    task, ema = Task(fail_in_validation=True), WeightEMA()
    with pytest.raises(RuntimeError, match="no"):
        fit(tmp_path, task, ema, epochs=1)
    assert not ema.swapped
    assert not same(task.validated[-1], task.trained[-1])
    assert same(snapshot(task), task.trained[-1])


def test_a_second_fit_starts_a_new_average(tmp_path):
    ema = WeightEMA()
    fit(tmp_path, Task(), ema, epochs=1)
    second = Task()
    start = snapshot(second)
    fit(tmp_path, second, ema, epochs=1)
    assert ema.updates == 4
    assert same(second.validated[0], start)


def test_a_block_with_the_average_restores_after_an_exception(tmp_path):
    task, ema = Task(), WeightEMA()
    fit(tmp_path, task, ema, epochs=1)
    average = snapshot(task)
    ema.on_validation_end(None, task)  # gives the trained weights back

    def fail() -> None:
        with ema.averaged(task):
            assert same(snapshot(task), average)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert same(snapshot(task), task.trained[-1])


def test_a_state_that_is_not_its_own_is_refused(tmp_path):
    with pytest.raises(ValueError, match="updates and average"):
        WeightEMA().load_state_dict({"steps": 1})
    ema = WeightEMA()
    ema.load_state_dict({"updates": 3, "average": {"other.weight": torch.zeros(1)}})
    with pytest.raises(ValueError, match="another network"):
        fit(tmp_path, Task(), ema, epochs=1)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_that_is_no_share_is_refused(decay):
    with pytest.raises(ValueError, match="decay"):
        WeightEMA(decay)
