"""The last healthy state of a training, kept in memory for the day that it fails."""

import time
from pathlib import Path
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor

from pipeline.health.culprit import is_bad

_LARGEST_SHARE = 0.002  # of the time of the training


class HealthySnapshot:
    """Keep a checkpoint on the CPU: weights, optimiser, average and counters of one and the same step.

    It takes as much memory as a checkpoint takes on the disk, 12 bytes per parameter with AdamW and 16 with a running
    average. Only the first rank keeps one, and none is kept where ranks hold parts of a network each.

    Args:
        every_n_steps: Steps between snapshots at least; more where copying would take over 0.2 % of the time.
    """

    def __init__(self, every_n_steps: int) -> None:
        self.every_n_steps = every_n_steps
        self.step = -1  # of the snapshot; -1 for none yet
        self._state: dict[str, Any] = {}
        self._next_at = 0.0

    def is_due(self, trainer: Trainer) -> bool:
        """Tell whether it is time for a snapshot on this rank."""
        if not (has_whole_weights(trainer) and trainer.is_global_zero):
            return False
        return self.step < 0 or (
            trainer.global_step >= self.step + self.every_n_steps and time.monotonic() >= self._next_at
        )

    def take(self, trainer: Trainer) -> None:
        """Copy the state of the training; call it before an update, when the weights have proved healthy."""
        begun = time.monotonic()
        self._state = {}  # first, so that two copies are never held
        # What `save_checkpoint` writes to a file; it has no other way in.
        state = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        self._state = apply_to_collection(state, Tensor, _on_cpu)
        self.step = trainer.global_step
        ended = time.monotonic()
        self._next_at = ended + (ended - begun) / _LARGEST_SHARE

    def write(self, trainer: Trainer, path: Path) -> str:
        """Write the snapshot as one of Lightning's checkpoints and return in words what it holds."""
        trainer.strategy.save_checkpoint(self._state, path)
        bad = [name for name, tensor in self._state["state_dict"].items() if is_bad(tensor)]
        weights = f"{', '.join(bad[:3])} are not finite in it" if bad else "all its weights are finite"
        return f"the state before step {self.step} is in {path}; {weights}"


def has_whole_weights(trainer: Trainer) -> bool:
    """Tell whether each rank holds the whole network and the same gradients."""
    return trainer.world_size == 1 or type(trainer.strategy) is DDPStrategy  # its subclasses share out weights


def _on_cpu(tensor: Tensor) -> Tensor:
    with torch.no_grad():
        return tensor.detach().to("cpu", copy=True)
