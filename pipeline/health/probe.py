"""Figures of every layer of a network during one training step."""

import math
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pipeline.health.culprit import tensors_of

NOT_MEASURED = math.nan


@dataclass(frozen=True)
class LayerFigures:
    """What is known of a layer at a step; NaN where it was not measured.

    Attributes:
        gradient_norm: L2 norm of the gradient of the layer's weights, before clipping.
        activation: Root mean square of the layer's output.
        update_ratio: L2 norm of the step's change over that of the weights.
    """

    gradient_norm: float = NOT_MEASURED
    activation: float = NOT_MEASURED
    update_ratio: float = NOT_MEASURED


@dataclass(frozen=True)
class Sample:
    """A sampled step.

    Attributes:
        step: Optimiser steps that were done before it.
        layers: Figures by layer, in the order of the forward pass.
        weight_norm: L2 norm of all layers' weights.
        output_spread: Largest deviation of an output channel over voxels and samples.
        output_size: Largest mean of an output channel, in size.
    """

    step: int
    layers: dict[str, LayerFigures]
    weight_norm: float
    output_spread: float
    output_size: float


class LayerProbe:
    """Measure a network during the steps for which it is opened.

    A layer is a module with weights of its own that have more than one axis: convolutions and linear maps, not
    norms. Hooks stand only between `open` and `close`, and weights are copied only in between, so that other steps
    cost nothing. Where a layer runs several times in a step its last run counts.

    Args:
        network: What to measure.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._weights: dict[str, Tensor] = {}
        for name, module in network.named_modules():
            own = [p for p in module.parameters(recurse=False) if p.ndim > 1 and p.requires_grad]
            if own:
                self._weights[name] = own[0]
        self._handles: list[RemovableHandle] = []
        self._rms: dict[str, Tensor] = {}
        self._output: list[Tensor] = []
        self._before: dict[str, Tensor] = {}
        self._gradients: dict[str, Tensor] = {}

    @property
    def is_open(self) -> bool:
        """Tell whether this step is measured."""
        return bool(self._handles)

    def open(self) -> None:
        """Start to measure; the figures of an earlier step are forgotten."""
        self.close()
        modules = dict(self._network.named_modules())
        for name in self._weights:
            self._handles.append(modules[name].register_forward_hook(self._layer_hook(name)))
        self._handles.append(self._network.register_forward_hook(self._output_hook))

    def close(self) -> None:
        """Take the hooks away and drop what was measured."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._rms, self._output, self._before, self._gradients = {}, [], {}, {}

    @torch.no_grad()
    def before_update(self) -> None:
        """Measure the gradients and keep a copy of the weights."""
        graded = {name: grad for name in self._rms if (grad := self._weights[name].grad) is not None}
        norms = torch._foreach_norm(list(graded.values())) if graded else []
        self._gradients = dict(zip(graded, norms, strict=True))
        self._before = {name: self._weights[name].detach().clone() for name in self._rms}

    @torch.no_grad()
    def after_update(self, step: int) -> Sample:
        """Return the figures of this step, its change of the weights included, and stop measuring."""
        names = list(self._rms)
        before = [self._before[name] for name in names]
        norms = torch._foreach_norm(before)
        torch._foreach_sub_(before, [self._weights[name].detach() for name in names])
        changes = torch._foreach_norm(before)
        missing = torch.full((), NOT_MEASURED, device=self._output[0].device)
        rows = [
            torch.stack([self._gradients.get(name, missing).float(), self._rms[name].float(), change / norm, norm])
            for name, change, norm in zip(names, changes, norms, strict=True)
        ]
        # One transfer from the device for all figures.
        *table, (spread, size, _, _) = torch.stack([*rows, self._output[0]]).tolist()
        self.close()
        # Weights that start at 0 have no ratio.
        layers = {
            name: LayerFigures(row[0], row[1], row[2] if row[3] > 0 else NOT_MEASURED)
            for name, row in zip(names, table, strict=True)
        }
        return Sample(step, layers, math.hypot(*(row[3] for row in table)), spread, size)

    def _layer_hook(self, name: str) -> Any:  # noqa: ANN401 -- a hook, as torch declares it
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if not torch.compiler.is_compiling():
                for tensor in islice(tensors_of(output), 1):
                    self._rms[name] = root_mean_square(tensor)

        return hook

    def _output_hook(self, module: nn.Module, inputs: object, output: object) -> None:
        if not torch.compiler.is_compiling():
            # With several heads the first is the finest.
            self._output = [_spread_and_size(tensor) for tensor in islice(tensors_of(output), 1)]


@torch.no_grad()
def root_mean_square(tensor: Tensor) -> Tensor:
    """Return the root mean square of all entries, without a copy of the tensor."""
    with torch.autocast(tensor.device.type, enabled=False):  # it would copy to float32
        # The norm of many halves is beyond float16; bfloat16 reaches as far as float32.
        wide = torch.float32 if tensor.dtype == torch.float16 else None
        norm: Tensor = torch.linalg.vector_norm(tensor, dtype=wide)
        return norm / math.sqrt(max(tensor.numel(), 1))


@torch.no_grad()
def _spread_and_size(output: Tensor) -> Tensor:
    """Return the largest deviation and mean of a channel of [B, K, *S], filled up to a row of the table."""
    with torch.autocast(output.device.type, enabled=False):
        channels = output.float().transpose(0, 1).flatten(1)  # [K, B * voxels]
        spread, mean = torch.std_mean(channels, dim=1, correction=0)
        empty = torch.full((2,), NOT_MEASURED, device=output.device)
        return torch.cat([spread.max()[None], mean.abs().max()[None], empty])
