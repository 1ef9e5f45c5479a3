"""One progress line for a whole training, with the time left."""

import math
import sys
import time
from datetime import timedelta
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from tqdm import tqdm

from pipeline.tasks.base import Task

# A terminal redraws its line; a file or a scheduler's log gets a new line each time, so fewer of them.
_SECONDS_BETWEEN_LINES = 0.5 if sys.stderr.isatty() else 15.0


_LARGEST_SHARE = 0.15  # of the time that goes into validation, after the first one


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))


class ValidationPacing(Callback):
    """Validate some ten times in a training, however long it is, and less often where that would take long.

    An epoch's validation is left out unless the training has entered another tenth since the last one; the end of
    the training has a validation of its own, from the files.
    """

    def __init__(self, parts: int = 10) -> None:
        self.parts = parts
        self.due_at = 1.0 / parts
        self.wanted: int | float | None = None
        self.begun = self.paused = 0.0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember how many batches the user wants."""
        self.wanted = trainer.limit_val_batches
        self.begun = time.monotonic()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the time."""
        self.paused = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Decide before Lightning asks whether this batch ends with a validation."""
        assert isinstance(pl_module, Task)
        assert self.wanted is not None
        trainer.limit_val_batches = self.wanted if self.due_at <= pl_module.update_fraction() < 1.0 else 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the next part."""
        assert isinstance(pl_module, Task)
        parts_done = math.floor(pl_module.fraction * self.parts + 1e-9)
        due_at = max((parts_done + 1) / self.parts, self._affordable(pl_module.fraction))
        # The clocks of ranks differ, and they must agree on what comes next.
        self.due_at = trainer.strategy.broadcast(due_at)

    def _affordable(self, fraction: float) -> float:
        """Return the part of the training by which another validation as long as the last one is due at best."""
        now = time.monotonic()
        training = max(self.paused - self.begun, 1e-9)  # seconds up to this validation
        return fraction + fraction * (now - self.paused) / training / _LARGEST_SHARE


class TrainingProgress(Callback):
    """Show the part of the training that is done, the time left, loss and validation Dice."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None
        self.begun = self.shown = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the line on the first rank."""
        if trainer.is_global_zero:
            self.begun = time.monotonic()
            layout = "training {percentage:3.0f}%|{bar:20}| {desc}"
            self.bar = tqdm(total=100, bar_format=layout, desc="starting")

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Redraw the line when it is due."""
        now = time.monotonic()
        if self.bar is None or now - self.shown < _SECONDS_BETWEEN_LINES:
            return
        self.shown = now
        self._draw(trainer, pl_module, now - self.begun)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the line."""
        if self.bar is not None:
            self._draw(trainer, pl_module, time.monotonic() - self.begun)
            self.bar.close()
            self.bar = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the line, so that the message stands on its own."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _draw(self, trainer: Trainer, module: LightningModule, elapsed: float) -> None:
        assert self.bar is not None
        assert isinstance(module, Task)
        fraction = module.fraction
        left = elapsed * (1 - fraction) / fraction if fraction > 0 else float("nan")
        parts = [
            f"{clock(elapsed)} gone, {clock(left) if fraction > 0 else '?'} left",
            f"step {trainer.global_step}",
        ]
        wanted = {"train/loss_step": "loss", "validation/dice": "validation Dice"}
        metrics = trainer.callback_metrics
        parts += [f"{name} {float(metrics[key]):.3f}" for key, name in wanted.items() if key in metrics]
        self.bar.n = round(100 * fraction)
        self.bar.set_description_str(", ".join(parts))
