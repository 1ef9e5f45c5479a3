"""Watch the health of a training: measure, warn in words, and stop before weights are lost."""

import logging
import math
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins import MixedPrecision
from torch import Tensor
from torch.nn.utils import get_total_norm

from pipeline.health.culprit import blame_gradient
from pipeline.health.picture import health_png
from pipeline.health.probe import LayerProbe, Sample
from pipeline.health.snapshot import HealthySnapshot, has_whole_weights
from pipeline.health.table import FIGURES, HealthTable
from pipeline.health.words import HealthWarnings
from pipeline.tasks.base import Task, TrainingError, of_all_ranks

log = logging.getLogger(__name__)

_STEPS_BETWEEN_SNAPSHOTS = 25
# The embedded store takes 0.1 ms of a core for a metric; curves of layers may take a fifth of a percent of the time.
_SECONDS_PER_METRIC = 0.0001 / 0.002
_SHARE_BETWEEN_POINTS = 0.01  # of the time so far: a curve of a long training has some hundred points


class HealthMonitor(Callback):
    """Measure layers on sampled steps, the gradient on every step, and stop when it is not finite.

    A training has one by default. One of your own takes its place:

        trainer:
          callbacks:
            - class_path: HealthMonitor
              init_args: {every_n_steps: 0}

    with 0 turning the sampling off; the guard against gradients that are not finite stays. In the run's folder it
    leaves `health/layers.csv`, `pictures/health.png`, and `checkpoints/before_failure.ckpt` where it had to stop.

    Args:
        every_n_steps: Steps from one sample of all layers to the next; 0 for no samples.
        warn: Say in the log when gradients vanish or explode, the output collapses, or the loss spikes.

    Raises:
        ValueError: `every_n_steps` is negative.
    """

    def __init__(self, every_n_steps: int = 25, warn: bool = True) -> None:
        if every_n_steps < 0:
            raise ValueError(f"HealthMonitor.every_n_steps: expected 0 for no samples, or more, found {every_n_steps}")
        self.every_n_steps = every_n_steps
        self.table = HealthTable()
        self.snapshot = HealthySnapshot(_STEPS_BETWEEN_SNAPSHOTS)
        self._words = HealthWarnings(warn)
        self._folder = Path()
        self._probe: LayerProbe | None = None
        self._cases: list[str] = []  # of the batches that make up a step
        self._image = self._loss = torch.zeros(())
        self._step = self._measured_step = -1
        self._begun = self._curves_at = 0.0

    def is_sampled(self, step: int) -> bool:
        """Tell whether the layers are measured at a step."""
        return self.every_n_steps > 0 and step % self.every_n_steps == 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask for the run's folder while all ranks are here: the answer comes from the first."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the network's layers, on the first rank."""
        assert isinstance(pl_module, Task)
        self._begun = time.monotonic()
        self._probe = LayerProbe(pl_module.network) if trainer.is_global_zero else None

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401 -- as Lightning declares it
        batch_idx: int,
    ) -> None:
        """Begin a step, or go on with one whose gradients are gathered over several batches."""
        if trainer.global_step != self._step:
            self._step = trainer.global_step
            self._cases, self._loss = [], torch.zeros((), device=pl_module.device)
            if self._probe and self.is_sampled(self._step):
                self._probe.open()
        self._cases += list(batch.case_id)
        self._image = batch.image

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Add up the loss; Lightning has divided it by the number of batches in a step."""
        self._loss = self._loss + loss.detach().float()

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Check the unscaled gradient before it is clipped and used.

        Raises:
            TrainingError: It is not finite; on all ranks alike, whose gradients are the same.
        """
        assert isinstance(pl_module, Task)
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        norm, loss = torch.stack([get_total_norm(gradients).to(self._loss), self._loss]).tolist()  # one transfer
        scale = _loss_scale(trainer)
        if not math.isfinite(norm):
            if scale is None or scale < 1.0:
                self._stop(trainer, pl_module, norm)
            elif self._probe:
                self._probe.close()  # half precision overflowed: the scaler leaves this step out and scales less
        elif trainer.is_global_zero:
            self._check(trainer, loss / (scale or 1.0), norm)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Complete a sample once the weights have changed."""
        assert isinstance(pl_module, Task)
        self._image = torch.zeros(())
        if self._probe and self._probe.is_open and self._measured_step == self._step:
            self._record(trainer, self._probe.after_update(self._step), pl_module.fraction)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write table and picture."""
        self._write()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write table and picture, and the last healthy state if the training stops for its numbers."""
        if self._probe:
            self._probe.close()
        try:
            if isinstance(exception, TrainingError) and self.snapshot.step >= 0:
                path = self._folder / "checkpoints" / "before_failure.ckpt"
                log.error("before the failure: %s", self.snapshot.write(trainer, path))
            elif isinstance(exception, TrainingError) and trainer.is_global_zero:
                log.error("no state from before the failure was kept: there was no healthy step")
            if written := self._write():
                log.error("the layers' figures up to the failure: %s", " and ".join(str(path) for path in written))
        except OSError as error:  # what stopped the training must still be heard
            log.error("%s: the health of the training could not be written: %s", self._folder, error)

    def _check(self, trainer: Trainer, loss: float, norm: float) -> None:
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and self._step % every == 0:
            self._log(trainer, {"health/gradient_norm": norm})
        healthy = self._words.check_step(self._step, loss, norm)
        if healthy and self.snapshot.is_due(trainer):
            self.snapshot.take(trainer)
        if self._probe and self._probe.is_open:
            self._probe.before_update()
            self._measured_step = self._step

    def _record(self, trainer: Trainer, sample: Sample, fraction: float) -> None:
        self.table.add(sample)
        self._words.check_sample(sample, fraction)
        curves = {name: {layer: getattr(f, name) for layer, f in sample.layers.items()} for name in FIGURES}
        curves = {name: {k: v for k, v in found.items() if not math.isnan(v)} for name, found in curves.items()}
        metrics = {f"health/median/{name}": statistics.median(f.values()) for name, f in curves.items() if f}
        if time.monotonic() >= self._curves_at:
            metrics |= {f"health/{name}/{layer}": v for name, found in curves.items() for layer, v in found.items()}
            now = time.monotonic()
            pause = max(len(metrics) * _SECONDS_PER_METRIC, (now - self._begun) * _SHARE_BETWEEN_POINTS)
            self._curves_at = now + pause
        self._log(trainer, metrics)

    def _log(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        for logger in trainer.loggers:
            logger.log_metrics(metrics, self._step)

    def _stop(self, trainer: Trainer, task: Task, norm: float) -> None:
        found = f"{norm} for the cases {', '.join(self._cases)}"
        if has_whole_weights(trainer):  # else a rank that asks alone would wait for the others
            with trainer.precision_plugin.forward_context():
                blame = blame_gradient(task.network, self._image)
            found = of_all_ranks(f"{found} ({blame})", trainer.world_size)
        raise TrainingError(
            f"step {self._step}: expected a gradient with a finite norm, found {found}. The weights are as they were "
            "before this step. Look at these images for extreme values, lower model.learning_rate, or train with "
            "trainer.precision 32-true."
        )

    def _write(self) -> list[Path]:
        """Write what was sampled and return the files."""
        if not self.table.steps:
            return []
        paths = [self._folder / "health" / "layers.csv", self._folder / "pictures" / "health.png"]
        self.table.write(paths[0])
        health_png(self.table, paths[1])
        return paths


def _loss_scale(trainer: Trainer) -> float | None:
    """Return what the loss of half precision is multiplied by, None where it is not."""
    plugin = trainer.precision_plugin
    scaler = plugin.scaler if isinstance(plugin, MixedPrecision) else None
    return None if scaler is None else float(scaler.get_scale())
