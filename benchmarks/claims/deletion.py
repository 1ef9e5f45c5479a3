"""What it costs to delete one block of a trained network."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from torch import nn

from claims.data import Batch
from claims.report import Section
from claims.training import CHANCE, evaluate
from claims.verdicts import Outcome, Verdict, every, higher, mean, spread
from networks import Classifier
from networks.highway import HighwayUnit
from networks.layers import ConvUnit
from networks.residual import ResidualUnit

LITTLE, EVERYTHING = 0.1, 0.5  # parts of what a network has learnt
_CHANCE_DIFFERENCE = 0.05  # of such parts: some ten of 512 patches
_LEARNT = 0.1  # below chance by that much; else there is nothing to lose


@dataclass(frozen=True)
class Deletions:
    """Errors of a network without one block each.

    Attributes:
        intact: Error of the whole network.
        without: Error without each block that can be deleted, by its number, first to last.
        blocks: Number of blocks, those among them that change the shape.
    """

    intact: float
    without: Mapping[int, float]
    blocks: int

    @property
    def learnt(self) -> bool:
        """Tell whether the whole network is well below chance."""
        return CHANCE - self.intact > _LEARNT

    @property
    def losses(self) -> dict[int, float]:
        """Return what each deletion takes of all that was learnt: 0 is nothing, 1 leaves chance; NaN if none was."""
        room = CHANCE - self.intact if self.learnt else math.nan
        return {block: (error - self.intact) / room for block, error in self.without.items()}


def blocks_of(network: Classifier) -> list[tuple[nn.Sequential, int]]:
    """Return the blocks behind the stem as places in their levels, first to last."""
    places = []
    for level in network.encoder.levels:
        assert isinstance(level, nn.Sequential)
        kinds = (ResidualUnit, HighwayUnit, ConvUnit)
        places += [(level, index) for index, layer in enumerate(level) if isinstance(layer, kinds)]
    return places[1:]


def keeps_shape(block: nn.Module) -> bool:
    """Tell whether a block gives what an identity in its place would, in shape."""
    wide = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    return wide[0].in_channels == wide[-1].out_channels and all(max(layer.stride) == 1 for layer in wide)


@contextmanager
def deleted(level: nn.Sequential, index: int) -> Iterator[None]:
    """Put an identity in the place of a block for a while."""
    block = level[index]
    level[index] = nn.Identity()
    try:
        yield
    finally:
        level[index] = block


def delete_each(network: Classifier, batch: Batch) -> Deletions:
    """Return the errors of a network on patches without each of its blocks in turn."""
    intact = evaluate(network, batch).error
    blocks, without = blocks_of(network), {}
    for number, (level, index) in enumerate(blocks, start=1):
        if keeps_shape(level[index]):
            with deleted(level, index):
                without[number] = evaluate(network, batch).error
    return Deletions(intact, without, len(blocks))


def deletion_section(found: Mapping[tuple[str, int], Sequence[Deletions]]) -> Section:
    """Compare residual and plain networks.

    Args:
        found: Deletions by family and depth, one for each seed.
    """
    rows = []
    for (family, depth), runs in found.items():
        medians, worst = _medians(runs), [max(run.losses.values()) for run in runs]
        rows.append(
            [
                f"{family} {depth}",
                f"{len(runs[0].without)} of {runs[0].blocks}",
                spread([run.intact for run in runs]),
                spread([statistics.median(run.without.values()) for run in runs]),
                _parts(medians),
                _parts(worst),
            ]
        )
    return Section(
        "deletion",
        "Deleting one block of a trained network",
        "Each block that keeps its input's shape is replaced by an identity, one at a time, without training again "
        "(Veit et al. 2016), and the error on held-out slices is taken. A residual block has two convolutions and a "
        f"plain one has one. The part lost is the error's rise over its room up to chance ({CHANCE}): 0 is nothing, 1 "
        f"everything. Little is taken to be at most {LITTLE} and everything at least {EVERYTHING}, at the "
        "median block.",
        ("network", "blocks deleted", "error intact", "median error without one", "median part lost", "largest"),
        rows,
        [verdict for depth in sorted({depth for _, depth in found}) for verdict in _verdicts(found, depth)],
        _draw(found),
    )


def _medians(runs: Sequence[Deletions]) -> list[float]:
    return [statistics.median(run.losses.values()) for run in runs]


def _parts(values: Sequence[float]) -> str:
    """Write parts that were lost, unless a network of them had learnt nothing."""
    return "not known, too little was learnt" if any(map(math.isnan, values)) else spread(values, 2)


def _verdicts(found: Mapping[tuple[str, int], Sequence[Deletions]], depth: int) -> list[Verdict]:
    residual, plain = found["resnet", depth], found["plain", depth]
    lost, lost_plain = _medians(residual), _medians(plain)
    outcomes = {
        f"{depth} layers: a block's deletion costs the residual net little": (
            every([part <= LITTLE for part in lost]),
            residual,
        ),
        f"{depth} layers: a block's deletion costs the plain net everything": (
            every([part >= EVERYTHING for part in lost_plain]),
            plain,
        ),
        f"{depth} layers: it costs the plain net more": (
            higher(lost_plain, lost, _CHANCE_DIFFERENCE),
            [*residual, *plain],
        ),
    }
    seen = f"median part lost: residual {_parts(lost)}, plain {_parts(lost_plain)}"
    verdicts = []
    for claim, (outcome, judged) in outcomes.items():
        if all(run.learnt for run in judged):
            verdicts.append(Verdict(claim, outcome, seen))
        else:
            verdicts.append(Verdict(claim, Outcome.NOT_CLEAR, seen))
    return verdicts


def _draw(found: Mapping[tuple[str, int], Sequence[Deletions]]) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    by_depth, by_cost = figure.subplots(1, 2, sharey=True)
    deepest = max(depth for _, depth in found)
    for (family, depth), runs in found.items():
        colour = {"resnet": "tab:blue", "plain": "tab:red", "highway": "tab:green"}[family]
        style: dict[str, Any] = {
            "color": colour,
            "linestyle": "-" if depth == deepest else "--",
            "marker": ".",
            "markersize": 4,
        }
        numbers = [*runs[0].without]
        rises = [mean([run.without[number] - run.intact for run in runs]) for number in numbers]
        places = [number / runs[0].blocks for number in numbers]
        by_depth.plot(places, rises, label=f"{family} {depth}", **style)
        ranks = [(rank + 1) / len(rises) for rank in range(len(rises))]
        by_cost.plot(ranks, sorted(rises, reverse=True), label=f"{family} {depth}", **style)
    by_depth.set(xlabel="place of the block (0 first, 1 last)", ylabel="rise of the held-out error")
    by_cost.set(xlabel="blocks sorted by cost")
    for axes in (by_depth, by_cost):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
