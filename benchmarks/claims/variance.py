"""How the variance of activations grows from block to block before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from claims.report import Section
from claims.verdicts import Verdict, every, mean, spread
from networks.encoder import Encoder
from networks.init import initialize
from networks.layers import Norm, Style
from networks.residual import ResidualOptions
from networks.resnet import ResNetPlan, make_resnet
from networks.units import UnitPlan

TOLERANCE = 0.2  # of a factor or a step that theory names; zero padding alone takes some 4 % per convolution
_CHANNELS = 32

_RESIDUAL = ResidualOptions(preactivation=True)

_VARIANTS: tuple[tuple[str, Norm, UnitPlan], ...] = (
    ("residual, norm none", "none", UnitPlan("basic", _RESIDUAL)),
    ("residual, norm batch", "batch", UnitPlan("basic", _RESIDUAL)),
    ("residual, norm group", "group", UnitPlan("basic", _RESIDUAL)),
    ("residual, norm none, branch scale 0", "none", UnitPlan("basic", replace(_RESIDUAL, branch_scale=0.0))),
    ("plain, norm none", "none", UnitPlan("plain")),
)

# Variances of one seed: first block to last.
Variances = Sequence[float]


def make_stack(norm: Norm, unit: UnitPlan, blocks: int) -> Encoder:
    """Make a stem and a stack of blocks of one width and size, with He initialisation."""
    style = Style(2, norm, activation="relu")
    plan = ResNetPlan(unit, (blocks,), (_CHANNELS,), _CHANNELS, "convolution")
    encoder = make_resnet(style, plan, 1, pyramid=False)
    initialize(encoder, "he")
    return encoder


def block_variances(encoder: Encoder, image: Tensor) -> list[float]:
    """Return the variance of each block's output, first to last, over patches, channels and space."""
    level = encoder.levels[0]
    assert isinstance(level, torch.nn.Sequential)
    variances = []
    encoder.train()
    with torch.no_grad():
        features = level[0](image)
        for block in list(level)[1:]:
            features = block(features)
            variances.append(float(features.var()))
    return variances


def measure_variances(image: Tensor, *, blocks: int, seeds: int) -> dict[str, list[Variances]]:
    """Return the variances of each variant, one row for each seed.

    Args:
        image: Patches [B, 1, H, W].
        blocks: Number of blocks.
        seeds: Number of initialisations.
    """
    found: dict[str, list[Variances]] = {}
    for name, norm, unit in _VARIANTS:
        for seed in range(seeds):
            torch.manual_seed(seed)
            found.setdefault(name, []).append(block_variances(make_stack(norm, unit, blocks), image))
    return found


def growth(variances: Variances) -> float:
    """Return the factor per block, as the geometric mean from the first block on."""
    return float((variances[-1] / variances[0]) ** (1.0 / (len(variances) - 1)))


def added(variances: Variances) -> float:
    """Return what a block adds on average, from the first block on."""
    return (variances[-1] - variances[0]) / (len(variances) - 1)


def variance_section(found: Mapping[str, Sequence[Variances]]) -> Section:
    """Compare the growth with what theory says."""
    blocks = len(found["residual, norm none"][0])
    return Section(
        "variance",
        "Growth of activation variance",
        f"A stack of {blocks} pre-activation blocks of {_CHANNELS} channels (plain: {blocks} convolutions) with He "
        f"initialisation on patches of the training slices, {len(found['residual, norm none'])} seeds. A residual "
        "block without norm adds a branch of its input's variance and so doubles it; with norm the branch has a "
        f"variance of 1 (De and Smith 2020, section 2). Measured values within {TOLERANCE:.0%} are taken to be those.",
        ("network", "factor per block", "added per block", "variance behind the last block"),
        [
            [
                name,
                spread([growth(row) for row in rows]),
                f"{mean([added(row) for row in rows]):.3g}",
                f"{mean([row[-1] for row in rows]):.3g}",
            ]
            for name, rows in found.items()
        ],
        _verdicts(found),
        _draw(found),
    )


def _verdicts(found: Mapping[str, Sequence[Variances]]) -> list[Verdict]:
    factors = [growth(row) for row in found["residual, norm none"]]
    steps = [added(row) for row in found["residual, norm batch"]]
    normed = [growth(row) for row in found["residual, norm batch"]]
    return [
        Verdict(
            "without norm the variance of a residual stack doubles per block",
            every([abs(factor - 2.0) <= 2.0 * TOLERANCE for factor in factors]),
            f"factor per block {spread(factors)}",
        ),
        Verdict(
            "with batch norm a block adds a variance of 1 instead",
            every([abs(step - 1.0) <= TOLERANCE for step in steps]),
            f"added per block {spread(steps)}, factor per block {spread(normed)}",
        ),
    ]


def _draw(found: Mapping[str, Sequence[Variances]]) -> Figure:
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, rows in found.items():
        columns = [*zip(*rows, strict=True)]
        numbers = range(1, len(columns) + 1)
        (line,) = axes.plot(numbers, [mean(column) for column in columns], label=name)
        axes.fill_between(
            numbers, [min(column) for column in columns], [max(column) for column in columns],
            alpha=0.15, color=line.get_color(),
        )  # fmt: skip
    start = mean([row[0] for row in found["residual, norm none"]])
    axes.plot(numbers, [start * 2.0 ** (number - 1) for number in numbers], "k:", label="doubling per block")
    first = mean([row[0] for row in found["residual, norm batch"]])
    axes.plot(numbers, [first + number - 1 for number in numbers], "k--", label="1 added per block")
    axes.set(xlabel="block", ylabel="variance of the block's output", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
