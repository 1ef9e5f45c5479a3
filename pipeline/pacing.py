"""When a training pauses to validate."""

import math
import time

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback

from pipeline.tasks.base import Task

_LARGEST_SHARE = 0.15  # of the time that goes into validation, after the first one


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
