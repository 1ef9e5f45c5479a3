"""Equal training for networks that are to be compared: the same batches in the same order, the same steps."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from claims.data import Batch, Slices
from networks import Classifier

BATCH = 64
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4  # He et al. 2016, section 4.2
CHANCE = 0.5  # error of a guess, as both classes are drawn equally often
_WARM_UP = 0.1  # part of the steps in which the learning rate rises
_EVALUATED = 256  # patches at once where no gradient is kept
_CALIBRATED = 3  # steps that are timed, after one that fills caches

MakeNetwork = Callable[[], Classifier]


@dataclass(frozen=True)
class Score:
    """Part of the patches that are wrong, and the mean cross-entropy."""

    error: float
    loss: float


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes:
        network: As it is behind the last step.
        losses: Cross-entropy of each batch before its step; infinite from the first that is not finite.
        errors: Part of each batch that was wrong; chance from that step on.
        train: On patches of the slices that were trained on.
        held_out: On patches of the others.
    """

    network: Classifier
    losses: list[float]
    errors: list[float]
    train: Score
    held_out: Score

    @property
    def diverged(self) -> bool:
        """Tell whether the loss became infinite or undefined."""
        return not all(math.isfinite(loss) for loss in (*self.losses, self.train.loss))

    @property
    def mean_error(self) -> float:
        """Return the mean error over all steps, which is low where learning is fast."""
        return sum(self.errors) / len(self.errors)

    def describe(self) -> str:
        """Return the errors in a line."""
        line = f"training error {self.train.error:.3f}, held-out error {self.held_out.error:.3f}"
        return f"{line}, diverged" if self.diverged else line


@dataclass(frozen=True, eq=False)
class Task:
    """What networks are trained and judged on.

    Attributes:
        slices: What batches are drawn from.
        train: Fixed patches of those slices.
        held_out: Fixed patches of other slices.
        batch: Patches of a step.
    """

    slices: Slices
    train: Batch
    held_out: Batch
    batch: int = BATCH


def make_task(slices: Slices, held_out: Slices, patches: int, batch: int = BATCH) -> Task:
    """Return a task with a fixed number of patches for each score."""
    return Task(slices, slices.draw(patches, (0, 1)), held_out.draw(patches, (0, 2)), batch)


def train(make: MakeNetwork, task: Task, *, steps: int, seed: int, learning_rate: float) -> Trained:
    """Train with stochastic gradient descent and a learning rate that rises, then falls as a cosine.

    Args:
        make: Makes the network with initial weights from torch's seed.
        task: Batches, and patches for the scores.
        steps: Number of batches.
        seed: Of the initial weights and of the batches.
        learning_rate: Its highest value.
    """
    torch.manual_seed(seed)
    network = make().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stub
    optimizer = torch.optim.SGD(network.parameters(), 0.0, MOMENTUM, weight_decay=WEIGHT_DECAY)
    losses, errors = [], []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate * _pace((step + 1) / steps)
        loss, error = _step(network, optimizer, task.slices.draw(task.batch, (seed, 3, step)))
        losses.append(loss)
        errors.append(error)
        if not math.isfinite(loss):
            rest = steps - len(losses)
            losses, errors = [*losses[:-1], *[math.inf] * (rest + 1)], [*errors[:-1], *[CHANCE] * (rest + 1)]
            break
    return Trained(network, losses, errors, evaluate(network, task.train), evaluate(network, task.held_out))


def step_s(make: MakeNetwork, task: Task) -> float:
    """Return the seconds of a step."""
    network = make().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stub
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)
    seconds = []
    for step in range(_CALIBRATED + 1):
        begun = time.perf_counter()
        _step(network, optimizer, task.slices.draw(task.batch, step))
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:])


def evaluate(network: nn.Module, batch: Batch) -> Score:
    """Return the error and loss of a network in evaluation."""
    network.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits = torch.cat([network(part).float() for part in torch.split(batch.image, _EVALUATED)])
    wrong = logits.argmax(dim=1) != batch.label
    return Score(float(wrong.float().mean()), float(F.cross_entropy(logits, batch.label)))


def smoothed(runs: Sequence[Sequence[float]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return steps and a running mean over a twentieth of them, of the mean of several trainings."""
    values = np.mean(np.array(runs, dtype=np.float64), axis=0)
    window = max(1, len(values) // 20)
    means = np.convolve(values, np.ones(window) / window, mode="valid")
    return np.arange(len(means)) + window, means


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> tuple[float, float]:
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(batch.image)
    loss = F.cross_entropy(logits.float(), batch.label)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(loss.detach()), float((logits.argmax(dim=1) != batch.label).float().mean())


def _pace(part: float) -> float:
    """Return the factor on the learning rate when a part of the steps is done."""
    if part < _WARM_UP:
        return part / _WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (part - _WARM_UP) / (1.0 - _WARM_UP)))
