"""What a training step will take, by arithmetic alone: multiplications and numbers kept for the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from networks.base import build
from pipeline.planning.trial import Trial

_COPIES = 5  # of the weights: themselves, gradients, two averages of AdamW, the running average
_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Cost:
    """The arithmetic of a training step.

    Args:
        multiply_adds: Of the convolutions, forward.
        features: Numbers that the layers give, all of which the way back needs.
        weights: Numbers in the network.
    """

    multiply_adds: float
    features: float
    weights: float

    @property
    def bytes(self) -> float:
        """Return a first guess of the memory, with features of four bytes."""
        return 4.0 * (self.features + _COPIES * self.weights)


def estimate(trial: Trial) -> Cost:
    """Return the cost of a trial without computing anything: tensors of the meta device have a shape alone."""
    found = {"multiply_adds": 0.0, "features": 0.0}

    def count(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        if not isinstance(output, Tensor):
            return
        found["features"] += output.numel()
        if isinstance(module, _CONVOLUTIONS):
            # Every weight meets every voxel once: of the output, or of the input of a transposed convolution.
            grid = inputs[0] if isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d) else output
            voxels = grid.numel() // grid.shape[1]
            found["multiply_adds"] += float(module.weight.numel()) * voxels

    with torch.device("meta"):
        network = build(trial.network).train()
        image = torch.empty(trial.shape)
    for module in network.modules():
        if not any(module.children()):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(image)
    return Cost(weights=float(sum(p.numel() for p in network.parameters())), **found)
