import csv
import logging

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.plugins import MixedPrecision

from pipeline.ema import WeightEMA
from pipeline.health.monitor import HealthMonitor
from pipeline.tasks.base import TrainingError
from pipeline.tasks.segmentation import SegmentationTask
from pipeline.training import _add_callbacks


def with_bad_gradient(at):
    """A loss that is finite and whose gradient is not: the slope of a root at 0."""
    return lambda step, loss: loss + (loss * 0.0).sqrt() if step >= at else loss


def rows(folder):
    return list(csv.DictReader((folder / "health" / "layers.csv").open()))


def hooks(task):
    return [module for module in task.modules() if module._forward_hooks]


def test_a_healthy_training_leaves_figures_and_no_warning(fit, small, tmp_path, caplog):
    task = small()
    trainer = fit(task, [HealthMonitor(every_n_steps=4)])
    assert sorted({int(row["step"]) for row in rows(tmp_path)}) == [0, 4, 8]
    assert [row["layer"] for row in rows(tmp_path)[:2]] == ["0", "3"]
    assert (tmp_path / "pictures" / "health.png").stat().st_size > 5000
    assert not (tmp_path / "checkpoints").exists()
    metrics = trainer.logger.metrics
    assert [step for step, _ in metrics["health/gradient_norm"]] == [0, 5, 10]
    assert [step for step, _ in metrics["health/median/update_ratio"]] == [0, 4, 8]
    assert {"health/gradient_norm/0", "health/activation/3", "health/update_ratio/3"} <= set(metrics)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING and r.name.startswith("pipeline")]
    assert hooks(task) == []


def test_without_samples_the_guard_stays(fit, small, tmp_path):
    with pytest.raises(TrainingError, match="step 3: expected a gradient with a finite norm, found nan"):
        fit(small(with_bad_gradient(3)), [HealthMonitor(every_n_steps=0)])
    assert not (tmp_path / "health").exists()
    assert (tmp_path / "checkpoints" / "before_failure.ckpt").exists()


def test_a_negative_interval_is_refused():
    with pytest.raises(ValueError, match="every_n_steps: expected 0 for no samples, or more, found -1"):
        HealthMonitor(every_n_steps=-1)


def test_f06_a_gradient_that_is_not_finite_stops_before_the_update(fit, small):
    task = small(with_bad_gradient(3))
    with pytest.raises(TrainingError, match=r"case_3, case_3b \(the gradient of layer 3 \(Conv2d\) went bad first"):
        fit(task, [HealthMonitor()], gradient_clip_val=1.0)
    before = task.weights[3]
    assert all(torch.equal(p, before[name]) for name, p in task.network.named_parameters())
    assert hooks(task) == []


def test_f06_a_loss_that_is_not_finite_names_the_layer_and_leaves_table_and_picture(fit, small, tmp_path, caplog):
    def spoil(step, loss):
        if step == 2:
            task.network[3].register_forward_hook(lambda m, i, output: output * torch.inf)
            return loss * torch.nan
        return loss

    task = small(spoil)
    with pytest.raises(TrainingError, match=r"found nan for the cases case_2, case_2b \(the output of layer 3"):
        fit(task, [HealthMonitor(every_n_steps=1)])
    assert rows(tmp_path)
    assert "the state before step 0 is in" in caplog.text
    assert f"{tmp_path / 'health' / 'layers.csv'} and {tmp_path / 'pictures' / 'health.png'}" in caplog.text


def test_the_cases_of_all_batches_of_a_step_are_named(fit, small):
    with pytest.raises(TrainingError, match="case_4, case_4b, case_5, case_5b"):
        fit(small(with_bad_gradient(2)), [HealthMonitor()], accumulate_grad_batches=2)


def test_a_step_of_several_batches_is_one_sample_of_the_whole_gradient(fit, small, tmp_path):
    class Norm(HealthMonitor):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            norms.append(float(pl_module.network[0].weight.grad.norm()))
            super().on_before_optimizer_step(trainer, pl_module, optimizer)

    norms = []
    fit(small(), [Norm(every_n_steps=1)], steps=4, accumulate_grad_batches=3)
    found = [float(row["gradient_norm"]) for row in rows(tmp_path) if row["layer"] == "0"]
    assert found == pytest.approx(norms, rel=1e-4)
    assert len(found) == 4


def test_averaging_of_weights_does_not_change_the_figures(fit, small, tmp_path):
    found = []
    for extra in ([], [WeightEMA(0.9)]):
        fit(small(rate=0.1), [*extra, HealthMonitor(every_n_steps=2)], val_check_interval=3)
        found.append(rows(tmp_path))
    assert found[0] == found[1]


def test_watching_does_not_change_the_training(fit, small):
    tasks = [small(), small()]
    fit(tasks[0], [])
    fit(tasks[1], [HealthMonitor(every_n_steps=1)])
    first, second = (task.network.state_dict() for task in tasks)
    assert all(torch.equal(first[name], second[name]) for name in first)


def half_precision(**options):
    return {"plugins": [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", **options))]}


def test_steps_that_half_precision_leaves_out_are_not_the_end(fit, small, tmp_path):
    task = small()
    # The first scales are far beyond float16, as at the start of any such training.
    trainer = fit(task, [HealthMonitor(every_n_steps=1)], steps=30, **half_precision(init_scale=2.0**30))
    assert trainer.precision_plugin.scaler.get_scale() < 2.0**30
    first = min(int(row["step"]) for row in rows(tmp_path))
    assert first > 0
    assert all(torch.isfinite(p).all() for p in task.parameters())
    assert any(not torch.equal(p, task.weights[0][name]) for name, p in task.network.named_parameters())


def test_half_precision_that_never_gets_a_gradient_is_the_end(fit, small):
    with pytest.raises(TrainingError, match="expected a gradient with a finite norm"):
        fit(small(with_bad_gradient(0)), [HealthMonitor()], steps=30, **half_precision())


def test_the_last_healthy_state_is_a_checkpoint_that_a_training_goes_on_from(fit, small, tmp_path):
    task = small(with_bad_gradient(30), optimizer="adamw")
    with pytest.raises(TrainingError):
        fit(task, [WeightEMA(0.9), HealthMonitor()], steps=40)
    path = tmp_path / "checkpoints" / "before_failure.ckpt"
    state = torch.load(path, weights_only=True)
    assert state["global_step"] in (0, 25)  # the time of a copy decides whether there is a second one
    for name, weights in task.weights[state["global_step"]].items():
        assert torch.equal(state["state_dict"][f"network.{name}"], weights)
    mended = small(optimizer="adamw")
    trainer = fit(mended, [WeightEMA(0.9), HealthMonitor()], steps=40, ckpt_path=path)
    assert trainer.global_step == 40
    assert len(mended.weights) == 40 - state["global_step"]


def test_nothing_that_looks_sick_is_kept(fit, small, tmp_path):
    """The loss jumps long before it is not a number; the state is from before the jump."""

    def spoil(step, loss):
        return loss * (1.0 if step < 40 else 1e4 if step < 80 else torch.nan)

    monitor = HealthMonitor()
    with pytest.raises(TrainingError):
        fit(small(spoil), [monitor], steps=90)
    assert 0 <= monitor.snapshot.step < 40


def test_a_training_has_one_by_default_and_one_of_the_users_own_takes_its_place():
    task = SegmentationTask(lambda i, o: None)
    own = HealthMonitor(every_n_steps=7)
    for given in ([], [own]):
        trainer = Trainer(callbacks=list(given), accelerator="cpu", logger=False, enable_checkpointing=False)
        _add_callbacks(trainer, task)
        monitors = [callback for callback in trainer.callbacks if isinstance(callback, HealthMonitor)]
        assert [monitor.every_n_steps for monitor in monitors] == [7 if given else 25]
        # Where training fails the average must be out of the network before anything is written.
        kinds = [type(callback) for callback in trainer.callbacks]
        assert kinds.index(WeightEMA) < kinds.index(HealthMonitor)
