"""Exponential moving average of a network's weights, as a Lightning callback."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

logger = logging.getLogger(__name__)


class WeightEMA(Callback):
    """Keep an average of the network's weights, validate with it, and leave it in the network at the end.

    Floating-point parameters are averaged; buffers and all else are copied. The decay of update n (from 0) is
    min(decay, (1 + n) / (10 + n)), so that the random initial weights are soon forgotten. Checkpoints hold
    the weights that the optimiser works on in `state_dict` and the average in this callback's state, so that
    a resumed run goes on as if it had not been interrupted.

    Lightning's own EMAWeightAveraging has no warm-up, doubles the whole module with its metrics, and leaves
    the two sets of weights swapped where validation raises.

    Args:
        decay: Share of the average that an update keeps, in [0, 1).
        module: Name of the LightningModule's submodule that is averaged.

    Raises:
        ValueError: If `decay` is not in [0, 1).
    """

    def __init__(self, decay: float = 0.999, module: str = "network") -> None:
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay: expected a share in [0, 1), found {decay}")
        self.decay = decay
        self.module = module
        self.updates = 0
        self.average: dict[str, Tensor] = {}
        self._trained: dict[str, Tensor] = {}  # the optimiser's weights, while the average is in the network
        self._loaded = False
        self._last_step = 0

    @property
    def swapped(self) -> bool:
        """Tell whether the average is in the network at the moment."""
        return bool(self._trained)

    @contextmanager
    def averaged(self, pl_module: pl.LightningModule) -> Iterator[None]:
        """Put the average into the network for the length of a `with` block, exceptions included."""
        was_swapped = self.swapped
        self._swap_in(pl_module)
        try:
            yield
        finally:
            if not was_swapped:
                self._restore(pl_module)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from the average of a checkpoint, or else from the network's weights.

        Raises:
            ValueError: If the checkpoint's average is of another network.
        """
        self._trained = {}
        tensors = self._tensors(pl_module)
        if self._loaded:
            self._check_names(tensors)
            self.average = {name: self.average[name].to(tensor.device) for name, tensor in tensors.items()}
        else:
            self.average = {name: tensor.detach().clone() for name, tensor in tensors.items()}
            self.updates = 0
        self._loaded = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count from the step that a resumed run has reached, which is not yet known at the fit's start."""
        self._last_step = trainer.global_step

    @torch.no_grad()
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Update the average once for each step of the optimiser, not for each batch that is accumulated."""
        if trainer.global_step == self._last_step:
            return
        self._last_step = trainer.global_step
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        parameters = dict(self._network(pl_module).named_parameters())
        averaged = {name: tensor for name, tensor in parameters.items() if tensor.is_floating_point()}
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average([self.average[name] for name in averaged], list(averaged.values()), self.updates)
        for name, tensor in self._tensors(pl_module).items():
            if name not in averaged:
                self.average[name].copy_(tensor)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate with the average."""
        if self.average:
            self._swap_in(pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on training with the optimiser's weights."""
        self._restore(pl_module)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Give the network its own weights back where validation raised."""
        self._restore(pl_module)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the average in the network: it is what the training was for."""
        self._swap_in(pl_module)
        logger.info("the network holds the average of %d updates", self.updates)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, object]
    ) -> None:
        """Store the optimiser's weights even where the average is in the network at the moment."""
        weights = checkpoint.get("state_dict")
        if self._trained and isinstance(weights, dict):
            trained = {f"{self.module}.{name}": tensor for name, tensor in self._trained.items()}
            weights.update({name: tensor for name, tensor in trained.items() if name in weights})

    def state_dict(self) -> dict[str, object]:
        """Return the average and the number of its updates."""
        return {"updates": self.updates, "average": self.average}

    def load_state_dict(self, state_dict: Mapping[str, object]) -> None:
        """Take over what `state_dict` returned.

        Raises:
            ValueError: If the state is not of this callback.
        """
        updates, average = state_dict.get("updates"), state_dict.get("average")
        if not isinstance(updates, int) or not isinstance(average, dict):
            raise ValueError(f"expected the keys updates and average, found {sorted(state_dict)}")
        self.updates = updates
        self.average = {name: tensor.detach().clone() for name, tensor in average.items()}
        self._loaded = True

    def _network(self, pl_module: pl.LightningModule) -> nn.Module:
        return pl_module.get_submodule(self.module)

    def _tensors(self, pl_module: pl.LightningModule) -> dict[str, Tensor]:
        network = self._network(pl_module)
        return {**dict(network.named_parameters()), **dict(network.named_buffers())}

    def _check_names(self, tensors: Mapping[str, Tensor]) -> None:
        if tensors.keys() != self.average.keys():
            differing = sorted(tensors.keys() ^ self.average.keys())
            raise ValueError(f"the stored average is of another network: {', '.join(differing[:5])} differ")

    @torch.no_grad()
    def _swap_in(self, pl_module: pl.LightningModule) -> None:
        if self.swapped:
            return
        tensors = self._tensors(pl_module)
        self._check_names(tensors)
        self._trained = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        for name, tensor in tensors.items():
            tensor.copy_(self.average[name])

    @torch.no_grad()
    def _restore(self, pl_module: pl.LightningModule) -> None:
        for name, tensor in (self._tensors(pl_module) if self.swapped else {}).items():
            tensor.copy_(self._trained[name])
        self._trained = {}
