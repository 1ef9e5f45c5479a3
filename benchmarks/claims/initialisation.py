"""How the gradient's norm changes through depth before any training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from claims.data import Batch
from claims.deletion import blocks_of
from claims.report import Section
from claims.verdicts import Verdict, every, higher, mean, spread
from networks import Classifier
from networks.layers import Norm
from networks.residual import ResidualOptions

KEPT = 10.0  # a norm that changes by less than that factor through the whole depth is called kept

# Name, family, norm, and the start of the branch scale.
_VARIANTS: tuple[tuple[str, str, Norm, float | None], ...] = (
    ("plain, norm batch", "plain", "batch", None),
    ("residual, norm batch", "resnet", "batch", None),
    ("plain, norm none", "plain", "none", None),
    ("residual, norm none", "resnet", "none", None),
    ("residual, norm none, branch scale 0", "resnet", "none", 0.0),
)

# Norms of one seed: first block to last.
Norms = Sequence[float]


def gradient_norms(network: Classifier, batch: Batch) -> list[float]:
    """Return the norm of the loss's gradient by the output of each block, first to last."""
    outputs: list[Tensor] = []
    blocks = [level[index] for level, index in blocks_of(network)]
    hooks = [block.register_forward_hook(lambda _module, _inputs, output: outputs.append(output)) for block in blocks]
    network.train()
    loss = F.cross_entropy(network(batch.image), batch.label)
    for hook in hooks:
        hook.remove()
    return [float(gradient.norm()) for gradient in torch.autograd.grad(loss, outputs)]


def measure_gradients(batch: Batch, *, depth: int, width: float, seeds: int) -> dict[str, list[Norms]]:
    """Return the gradient norms of each variant, one row for each seed.

    Args:
        batch: Patches whose loss is taken, in single precision.
        depth: Layers, 6n + 2.
        width: Factor on the numbers of channels.
        seeds: Number of initialisations.
    """
    found: dict[str, list[Norms]] = {}
    for name, family, norm, scale in _VARIANTS:
        for seed in range(seeds):
            torch.manual_seed(seed)
            options = ResidualOptions(branch_scale=scale)
            network = Classifier(1, 2, encoder=f"cifar_{family}{depth}", width=width, norm=norm, residual=options)
            found.setdefault(name, []).append(gradient_norms(network, batch))
    return found


def gradient_section(found: Mapping[str, Sequence[Norms]], depth: int) -> Section:
    """Compare first and last block with and without shortcuts."""
    logs = {name: [math.log10(norms[0] / norms[-1]) for norms in rows] for name, rows in found.items()}
    return Section(
        "gradient",
        "Gradient norm against depth at initialisation",
        f"Networks of {depth} layers with He initialisation, {len(next(iter(found.values())))} seeds. The norm is that "
        "of the loss's gradient by each block's output; the table has the first block's over the last block's, as a "
        f"power of ten, and it is called kept where it lies within a factor of {KEPT:g}.",
        ("network", "log10 of first over last"),
        [[name, spread(values, 2)] for name, values in logs.items()],
        [verdict for norm in ("batch", "none") for verdict in _verdicts(logs, norm)],
        _draw(found, depth),
    )


def _verdicts(logs: Mapping[str, Sequence[float]], norm: str) -> list[Verdict]:
    plain, residual = logs[f"plain, norm {norm}"], logs[f"residual, norm {norm}"]
    kept = [abs(value) <= math.log10(KEPT) for value in residual]
    changes, changes_residual = ([abs(value) for value in values] for values in (plain, residual))
    seen = f"log10 of first over last: residual {spread(residual, 2)}, plain {spread(plain, 2)}"
    return [
        Verdict(f"norm {norm}: shortcuts keep the gradient's norm through depth at initialisation", every(kept), seen),
        Verdict(
            f"norm {norm}: it changes more without shortcuts than with them", higher(changes, changes_residual), seen
        ),
    ]


def _draw(found: Mapping[str, Sequence[Norms]], depth: int) -> Figure:
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, rows in found.items():
        relative = [[math.log10(norm / norms[-1]) for norm in norms] for norms in rows]
        middle = [mean(values) for values in zip(*relative, strict=True)]
        layers = [(depth - 2) * (block + 1) / len(middle) for block in range(len(middle))]
        style: dict[str, Any] = {"color": "tab:red" if name.startswith("plain") else "tab:blue"}
        style["linestyle"] = "-" if "batch" in name else ":" if "scale" in name else "--"
        axes.plot(layers, middle, label=name, **style)
        lowest, highest = ([pick(values) for values in zip(*relative, strict=True)] for pick in (min, max))
        axes.fill_between(layers, lowest, highest, alpha=0.15, color=style["color"])
    axes.set(xlabel="layer", ylabel="log10 of the gradient's norm, last block at 0")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
