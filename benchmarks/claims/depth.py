"""Training error of plain and residual networks as they get deeper."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from claims.report import Section
from claims.training import Task, Trained, smoothed, train
from claims.verdicts import Outcome, Verdict, higher, not_higher, spread
from networks import Classifier

LEARNING_RATE = 0.05
_COLOURS = {"plain": "tab:red", "resnet": "tab:blue", "highway": "tab:green"}

Judge = Callable[[Sequence[float], Sequence[float], float], Outcome]
Runs = Mapping[tuple[str, int], Sequence[Trained]]


def make_network(family: str, depth: int, width: float) -> Classifier:
    """Make a CIFAR-style network for one grey channel and two classes."""
    return Classifier(1, 2, encoder=f"cifar_{family}{depth}", width=width)


def train_depths(
    task: Task,
    *,
    families: Sequence[str],
    depths: Sequence[int],
    width: float,
    steps: int,
    seeds: Sequence[int],
    done: Callable[[str], None],
) -> dict[tuple[str, int], list[Trained]]:
    """Train every family at every depth for the same steps on the same batches.

    Args:
        task: What they are trained on.
        families: `plain`, `resnet` or `highway`.
        depths: Layers, 6n + 2 each.
        width: Factor on the numbers of channels.
        steps: Steps of each.
        seeds: Of initial weights and batches; one training each.
        done: Called with a line when a training is done.
    """
    trained: dict[tuple[str, int], list[Trained]] = {(family, depth): [] for family in families for depth in depths}
    for seed in seeds:
        for (family, depth), runs in trained.items():
            make = partial(make_network, family, depth, width)
            runs.append(train(make, task, steps=steps, seed=seed, learning_rate=LEARNING_RATE))
            done(f"{family} {depth}, seed {seed}: {runs[-1].describe()}")
    return trained


def depth_section(trained: Runs, patches: int) -> Section:
    """Compare the depths of each family, and the families at the greater depth.

    Args:
        trained: Trainings by family and depth.
        patches: Number of patches behind each error, which limits how well errors can be told apart.
    """
    rows = [
        [
            f"{family} {depth}",
            spread([run.train.error for run in runs]),
            spread([run.train.loss for run in runs]),
            spread([run.held_out.error for run in runs]),
            f"{sum(run.diverged for run in runs)} of {len(runs)}",
        ]
        for (family, depth), runs in trained.items()
    ]
    return Section(
        "depth",
        "Depth with and without shortcuts",
        "The CIFAR networks of He et al. 2016 with batch norm, their highway twins where they are named, equal steps, "
        f"the learning rate at most {LEARNING_RATE}. Errors are of fixed patches with the network in evaluation; the "
        "curves are of the batches in training. Values are means, with the lowest and highest of the seeds.",
        ("network", "training error", "training loss", "held-out error", "diverged"),
        rows,
        _verdicts(trained, patches),
        _draw(trained),
    )


def _verdicts(trained: Runs, patches: int) -> list[Verdict]:
    shallow, deep = min(depth for _, depth in trained), max(depth for _, depth in trained)
    comparisons: list[tuple[str, tuple[str, int], tuple[str, int], Judge]] = [
        (f"a plain net of {deep} layers has more than one of {shallow}", ("plain", deep), ("plain", shallow), higher),
        (f"its residual twin of {deep} layers has not", ("resnet", deep), ("resnet", shallow), not_higher),
        (f"of {deep} layers the plain net has more than the residual one", ("plain", deep), ("resnet", deep), higher),
    ]
    verdicts = []
    for claim, *keys, judge in comparisons:
        first, second = ([run.train.error for run in trained[key]] for key in keys)
        outcome = judge(first, second, _chance_difference([*first, *second], patches))
        verdicts.append(Verdict(f"training error: {claim}", outcome, f"{spread(first)} against {spread(second)}"))
    return verdicts


def _chance_difference(errors: Sequence[float], patches: int) -> float:
    """Return two standard errors of the difference of two errors, were they of independent patches."""
    rate = sum(errors) / len(errors)
    return 2.0 * math.sqrt(2.0 * rate * (1.0 - rate) / patches)


def _draw(trained: Runs) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(1, 2)
    for (family, depth), runs in trained.items():
        style: dict[str, Any] = {
            "color": _COLOURS[family],
            "linestyle": "-" if depth == max(d for _, d in trained) else "--",
        }
        panels[0].plot(*smoothed([run.errors for run in runs]), label=f"{family} {depth}", **style)
        panels[1].plot(*smoothed([run.losses for run in runs]), label=f"{family} {depth}", **style)
    panels[0].set(xlabel="step", ylabel="training error", ylim=(0.0, 0.55))
    panels[1].set(xlabel="step", ylabel="training loss", ylim=(0.1, 1.0))
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
