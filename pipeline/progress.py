"""One progress line for a whole training, with the time left."""

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


def clock(seconds: float) -> str:
    """Return a duration as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))


class TrainingProgress(Callback):
    """Show the part of the training that is done, the time left, the loss and the score of the last validation."""

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
        wanted = {"train/loss_step": "loss", "validation/dice": "validation Dice", "validation/pck": "validation PCK"}
        metrics = trainer.callback_metrics
        parts += [f"{name} {float(metrics[key]):.3f}" for key, name in wanted.items() if key in metrics]
        self.bar.n = round(100 * fraction)
        self.bar.set_description_str(", ".join(parts))
