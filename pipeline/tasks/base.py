"""What all tasks share: building the network from the data, the optimiser and its schedule."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torch.distributed as dist
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Timer
from torch import Tensor

from datamodules.base import DataModule
from networks.base import Network
from pipeline import schedules
from pipeline.finished import Finished
from pipeline.health.culprit import blame_forward


class TrainingError(Exception):
    """Training cannot go on; the message says why and what to look at."""


def of_all_ranks(text: str, world_size: int) -> str:
    """Join what the ranks say; all of them must call it, and get the same answer."""
    if world_size == 1:
        return text
    parts = [""] * world_size
    dist.all_gather_object(parts, text)
    return "; ".join(part for part in parts if part)


class Task(LightningModule, ABC):
    """Base of the tasks that a config may name under `model`.

    Args:
        network: Maker of the network; it is given the channels of the data's images and of its answers.
        optimizer: "adamw" warms up and falls along a cosine, "sgd" (Nesterov, momentum 0.99) falls polynomially.
        learning_rate: Peak of the schedule.
        weight_decay: Decoupled for AdamW, as a penalty for SGD.
        warmup: Part of the training over which AdamW's rate rises.
        ema_decay: Decay of the running average of weights that is validated and kept; 0 for none.

    Attributes:
        data_class: The data that the task is for.
    """

    network: Network
    data_class: ClassVar[type[DataModule]]

    def __init__(
        self,
        network: Callable[[int, int], Network],
        optimizer: Literal["adamw", "sgd"],
        learning_rate: float,
        weight_decay: float,
        warmup: float,
        ema_decay: float,
    ) -> None:
        super().__init__()
        self.make_network = network
        self.optimizer_name = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.ema_decay = ema_decay
        self.fraction = 0.0  # of the training that is done
        if not 0.0 <= warmup < 1.0:
            raise ValueError(f"model.warmup: expected a part of the training from 0 to below 1, found {warmup}")
        if not 0.0 <= ema_decay < 1.0:
            raise ValueError(f"model.ema_decay: expected 0 for none, or a share below 1, found {ema_decay}")

    @property
    def data(self) -> DataModule:
        """Return the data module that the trainer was given."""
        found = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(found, DataModule):
            raise TypeError(f"expected a DataModule of this package, found {type(found).__name__}")
        return found

    def configure_model(self) -> None:
        """Build the network once the data is known."""
        if not hasattr(self, "network"):
            self.network = self.make_network(self.data.in_channels, self.data.out_channels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser; `on_train_batch_start` moves its rate."""
        # Norms and biases are not shrunk: decay is meant for the weights that mix channels.
        shrunk = [p for p in self.network.parameters() if p.ndim > 1]
        kept = [p for p in self.network.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": shrunk, "weight_decay": self.weight_decay},
            {"params": kept, "weight_decay": 0.0},
        ]
        if self.optimizer_name == "adamw":
            return torch.optim.AdamW(groups, lr=self.learning_rate)
        return torch.optim.SGD(groups, lr=self.learning_rate, momentum=0.99, nesterov=True)

    def update_fraction(self) -> float:
        """Return the part of the training that is done, by steps or by `max_time`, whichever is further."""
        steps = self.trainer.estimated_stepping_batches
        done = self.trainer.global_step / steps if 0 < steps < float("inf") else 0.0
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Timer) and callback.time_remaining() is not None:
                elapsed, left = callback.time_elapsed(), callback.time_remaining() or 0.0
                done = max(done, elapsed / max(elapsed + left, 1e-9))
        if self.trainer.world_size > 1:
            # The clocks of ranks differ, and their weights would drift apart with their rates.
            done = self.trainer.strategy.broadcast(done)
        self.fraction = min(max(done, 0.0), 1.0)
        return self.fraction

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ANN401 -- as Lightning declares it
        """Set the learning rate for this step."""
        self.update_fraction()
        factor = (
            schedules.warmup_cosine(self.fraction, warmup=self.warmup)
            if self.optimizer_name == "adamw"
            else schedules.polynomial(self.fraction)
        )
        for group in self.optimizers().param_groups:  # type: ignore[union-attr]
            group["lr"] = self.learning_rate * factor
        if self.trainer.global_step % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self.log("learning_rate", self.learning_rate * factor)

    def refuse_non_finite(self, loss: Tensor, image: Tensor, case_ids: Sequence[str]) -> None:
        """Stop the training when the loss is not a number; call it within `training_step`.

        Args:
            loss: The loss of the batch.
            image: The batch's images as the network was given them, [B, C, *S].
            case_ids: The cases of the batch.

        Raises:
            TrainingError: Names the cases of the batch, and the layer at which the numbers went bad first.
        """
        flag = torch.isfinite(loss.detach()).logical_not().to(torch.uint8)
        if self.trainer.world_size > 1:
            # A rank that stopped alone would leave the others waiting for its gradients.
            dist.all_reduce(flag, dist.ReduceOp.MAX)
        if not bool(flag):
            return
        # On all ranks, as norms over ranks meet within the forward pass.
        blame = blame_forward(self.network, image)
        bad = not bool(torch.isfinite(loss))
        found = f"{loss.item()} for the cases {', '.join(case_ids)} ({blame})" if bad else ""
        raise TrainingError(
            f"step {self.trainer.global_step}: expected a finite loss, found "
            f"{of_all_ranks(found, self.trainer.world_size)}. Look at these images for extreme values, or lower "
            "model.learning_rate."
        )

    @abstractmethod
    def check(self, data: DataModule) -> None:
        """Refuse a network that cannot be made or does not fit the data, before any data is read.

        Raises:
            UsageError: Names the keys at fault.
        """

    @abstractmethod
    def finish(self, trainer: Trainer, folder: Path) -> Finished:
        """Write model folder, scores and pictures of the finished training into the run's folder.

        Raises:
            RuntimeError: If something that validates could not be predicted.
        """
