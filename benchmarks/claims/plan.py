"""How many steps fit into the time that was given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from claims.convergence import LEARNING_RATES, VARIANTS
from claims.depth import make_network
from claims.training import BATCH, Task, step_s

_OTHERS_S = 60.0  # measurements at initialisation, pictures
_DEPTH_SHARE = 0.62  # of the time that is left for training; the rest is for the variants of a unit
_FEWEST = 4  # steps of a training
_FORWARD = 0.35  # of a step's time goes into its forward pass


@dataclass(frozen=True)
class Scale:
    """Sizes that do not depend on the machine.

    Attributes:
        families: `plain`, `resnet` and maybe `highway`.
        depths: Layers of the networks whose depth is compared.
        width: Factor on their numbers of channels.
        variant_width: The same for the variants of a unit, which have the least of the depths.
        seeds: Trainings of each network.
        variant_seeds: Trainings of each variant at each learning rate.
        batch: Patches of a step.
        patches: Patches behind each error.
        deletion_patches: Patches behind each error without a block.
        initial_seeds: Initialisations for gradients and variances.
        blocks: Blocks of the stack whose variance is measured.
    """

    families: tuple[str, ...] = ("plain", "resnet")
    depths: tuple[int, int] = (20, 56)
    width: float = 1.0
    variant_width: float = 0.5
    seeds: int = 3
    variant_seeds: int = 2
    batch: int = BATCH
    patches: int = 2048
    deletion_patches: int = 512
    initial_seeds: int = 8
    blocks: int = 24


QUICK = Scale(
    depths=(8, 14),
    width=0.25,
    variant_width=0.25,
    seeds=2,
    variant_seeds=1,
    batch=8,
    patches=128,
    deletion_patches=64,
    initial_seeds=2,
    blocks=6,
)


@dataclass(frozen=True)
class Plan:
    """Steps of each training.

    Attributes:
        steps: Of each network whose depth is compared.
        variant_steps: Of each variant of a unit.
        forecast_s: Seconds that all will take.
    """

    steps: int
    variant_steps: int
    forecast_s: float


def make_plan(task: Task, scale: Scale, seconds: float, most: int) -> Plan:
    """Time a few steps of each network and divide the time that is given.

    Args:
        task: What they are trained on.
        scale: Sizes of the measurements.
        seconds: Time for all of them.
        most: Steps of a training at most.

    Raises:
        ValueError: If hardly any steps fit.
    """
    nets = [(family, depth) for family in scale.families for depth in scale.depths]
    net_s = [step_s(partial(make_network, *net, scale.width), task) for net in nets]
    variant_s = [step_s(partial(variant.make, min(scale.depths), scale.variant_width), task) for variant in VARIANTS]
    rounds, variant_rounds = scale.seeds, scale.variant_seeds * len(LEARNING_RATES)
    scored = 2 * scale.patches
    fixed_s = _OTHERS_S * scale.initial_seeds / Scale.initial_seeds
    for (_, depth), one_s in zip(nets, net_s, strict=True):
        # A plain net has a block for each layer, a residual one half as many; three in four of both, on average.
        fixed_s += rounds * one_s * _FORWARD * (scored + 0.75 * depth * scale.deletion_patches) / scale.batch
    fixed_s += variant_rounds * sum(variant_s) * _FORWARD * scored / scale.batch
    left_s = seconds - fixed_s
    steps = min(most, int(_DEPTH_SHARE * left_s / (rounds * sum(net_s))))
    variant_steps = min(most, int((1.0 - _DEPTH_SHARE) * left_s / (variant_rounds * sum(variant_s))))
    if min(steps, variant_steps) < _FEWEST:
        raise ValueError(
            f"--minutes: expected time for {_FEWEST} steps, found {seconds / 60:.1f} minutes; "
            "give more, or leave the machine alone"
        )
    training_s = steps * rounds * sum(net_s) + variant_steps * variant_rounds * sum(variant_s)
    return Plan(steps, variant_steps, fixed_s + training_s)
