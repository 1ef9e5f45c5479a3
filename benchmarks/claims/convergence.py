"""How a scale on the branch, a norm at its end and fusion change convergence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from matplotlib.figure import Figure

from claims.report import Section
from claims.training import Task, Trained, smoothed, train
from claims.verdicts import Verdict, higher, mean, spread
from networks import Classifier
from networks.layers import Norm
from networks.residual import ResidualOptions

LEARNING_RATES = (0.05, 0.01)  # what is best with norm may be too much without one
# Trainings by learning rate.
Tried = dict[float, list[Trained]]
_CHANCE_DIFFERENCE = 0.005  # of mean errors: about two standard errors for 300 batches of 64
NORMS: tuple[Norm, ...] = ("batch", "none")


@dataclass(frozen=True)
class Variant:
    """A residual network: its norm and what its units have beside the original ones."""

    name: str
    norm: Norm
    options: ResidualOptions

    def make(self, depth: int, width: float) -> Classifier:
        """Make the network."""
        return Classifier(1, 2, encoder=f"cifar_resnet{depth}", width=width, norm=self.norm, residual=self.options)


def _variants() -> list[Variant]:
    options = {
        "ResNet": ResidualOptions(),
        "branch scale from 1": ResidualOptions(branch_scale=1.0),
        "branch scale from 0": ResidualOptions(branch_scale=0.0),
        "branch norm": ResidualOptions(branch_norm="batch"),
        "fusion by concatenation": ResidualOptions(fusion="concat"),
    }
    chosen: list[tuple[Norm, tuple[str, ...]]] = [
        # With batch norm the original branch ends in a norm already.
        ("batch", ("ResNet", "branch scale from 0", "fusion by concatenation")),
        ("none", tuple(options)),
    ]
    return [Variant(f"{name}, norm {norm}", norm, options[name]) for norm, names in chosen for name in names]


VARIANTS = _variants()


def train_variants(
    task: Task, *, depth: int, width: float, steps: int, seeds: Sequence[int], done: Callable[[str], None]
) -> dict[str, Tried]:
    """Train every variant for the same steps on the same batches.

    Args:
        task: What they are trained on.
        depth: Layers, 6n + 2.
        width: Factor on the numbers of channels.
        steps: Steps of each.
        seeds: Of initial weights and batches; one training each.
        done: Called with a line when a training is done.
    """
    trained: dict[str, Tried] = {variant.name: {rate: [] for rate in LEARNING_RATES} for variant in VARIANTS}
    for seed in seeds:
        for variant in VARIANTS:
            for rate, runs in trained[variant.name].items():
                make = partial(variant.make, depth, width)
                runs.append(train(make, task, steps=steps, seed=seed, learning_rate=rate))
                done(f"{variant.name}, rate {rate}, seed {seed}: {runs[-1].describe()}")
    return trained


def better_rate(tried: Tried) -> float:
    """Return the learning rate with the lower mean error in training."""
    return min(tried, key=lambda rate: mean([run.mean_error for run in tried[rate]]))


def convergence_section(tried: Mapping[str, Tried], depth: int) -> Section:
    """Compare each variant with the ResNet of the same norm."""
    rates = {name: better_rate(runs) for name, runs in tried.items()}
    trained = {name: tried[name][rate] for name, rate in rates.items()}
    rows, verdicts = [], []
    for variant in VARIANTS:
        runs, reference = trained[variant.name], trained[f"ResNet, norm {variant.norm}"]
        diverged = sum(run.diverged for run in chain(*tried[variant.name].values()))
        rows.append(
            [
                variant.name,
                f"{rates[variant.name]:g}",
                spread([run.mean_error for run in runs]),
                spread([run.train.error for run in runs]),
                spread([run.held_out.error for run in runs]),
                f"{diverged} of {len(LEARNING_RATES) * len(runs)}",
            ]
        )
        if runs is not reference:
            verdicts.append(_verdict(variant, runs, reference))
    return Section(
        "convergence",
        "Branch scale, branch norm and fusion",
        f"ResNets of {depth} layers, equal but for what the table names, each trained at the learning rates "
        f"{' and '.join(map(str, LEARNING_RATES))}; the one with the lower mean error is shown. Convergence is the "
        "mean error of the batches over all steps of a training, a divergence counted as chance from there on: lower "
        "is faster. A scale that starts at 0 without norm is SkipInit (De and Smith 2020).",
        ("network", "learning rate", "mean error in training", "training error", "held-out error", "diverged"),
        rows,
        verdicts,
        _draw(trained),
    )


def _verdict(variant: Variant, runs: Sequence[Trained], reference: Sequence[Trained]) -> Verdict:
    """Judge whether a variant converges faster than the ResNet of the same norm."""
    slow, fast = [run.mean_error for run in reference], [run.mean_error for run in runs]
    return Verdict(
        f"{variant.name}: converges faster than the ResNet of the same norm",
        higher(slow, fast, _CHANCE_DIFFERENCE),
        f"mean error {spread(fast)} against {spread(slow)}",
    )


def _draw(trained: Mapping[str, Sequence[Trained]]) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for axes, norm in zip(figure.subplots(1, 2, sharey=True), NORMS, strict=True):
        for variant in VARIANTS:
            if variant.norm == norm:
                axes.plot(
                    *smoothed([run.errors for run in trained[variant.name]]), label=variant.name.partition(",")[0]
                )
        axes.set(title=f"norm {norm}", xlabel="step", ylim=(0.1, 0.55))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        axes.set_ylabel("training error")
    return figure
