"""The config of a U-Net's training, each value with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datamodules.cases import CaseList
from pipeline.planning.coarse import share_seen
from pipeline.planning.fitting import Fitted
from pipeline.planning.grid_choice import GridChoice
from pipeline.planning.noted import Noted, Tree
from pipeline.planning.plan import Options, data_root, trainer_section
from pipeline.planning.quantities import gib, size_text
from pipeline.planning.topology import LEAST_EDGE
from pipeline.planning.unet_ladder import Choice

_SGD_STEPS = 50_000  # SGD with its slow momentum needs tens of thousands of steps


@dataclass(frozen=True)
class Found:
    """All that a config is made of.

    Args:
        listing: The cases.
        declared: Labels that the config must name, if any.
        folds: Parts of the split.
        intensity: Schemes of the channels.
        augmentation: Settings with their reasons.
        grid: The grid of the network's input.
        choice: The network.
        fitted: What its step took.
    """

    listing: CaseList
    declared: dict[str, int | list[int]] | None
    folds: int
    intensity: Noted
    augmentation: dict[str, Any]
    grid: GridChoice
    choice: Choice
    fitted: Fitted


def config_of(found: Found, options: Options) -> Tree:
    """Return the whole config."""
    return {
        "seed_everything": 0,
        "model": {"class_path": "SegmentationTask", "init_args": _model(found, options)},
        "data": {"class_path": "SegmentationData", "init_args": _data(found, options)},
        "trainer": trainer_section(options, found.fitted.measured.step_s),
    }


def _model(found: Found, options: Options) -> Tree:
    steps = options.budget.steps(found.fitted.measured.step_s)
    if found.choice.large and steps >= _SGD_STEPS:
        optimiser: Tree = {
            "optimizer": Noted("sgd", f"nnU-Net's, as there are some {steps} steps"),
            "learning_rate": 0.01,
            "weight_decay": 3.0e-5,
        }
    else:
        optimiser = {
            "optimizer": Noted("adamw", "learns within hundreds of steps; SGD needs tens of thousands"),
            "learning_rate": Noted(0.001 if found.choice.large else 0.002, "the peak, after a warm-up"),
        }
    flat = found.grid.dims == 2
    dice = "each image by itself, as every one holds all structures" if flat else "over the batch: steadier where small"
    return {
        "network": {"class_path": "UNet", "init_args": _network(found, options)},
        **optimiser,
        "batch_dice": Noted(not flat, dice),
    }


def _network(found: Found, options: Options) -> Tree:
    choice, topology = found.choice, found.choice.topology
    arguments = choice.arguments()
    first = choice.channels[0]
    cap = choice.channels[-1]
    width = (
        f"doubled from {first} to {cap} at most: a GPU has room for nnU-Net's width"
        if choice.large
        else f"doubled from {first} to {cap} at most: on a CPU a step's time counts, and this is what fits it"
    )
    units = (
        "nnU-Net's residual encoder, preset M and on"
        if choice.large
        else "residual, but plain on the finest level, which costs most"
    )
    reasons = {
        "spatial_dims": found.grid.dims_reason,
        "channels": width,
        "strides": f"an axis is halved until less than {2 * LEAST_EDGE} voxels are left and while it is within 2 times "
        f"of the finest spacing; coarsest level {size_text(topology.coarsest)}",
        "kernel_sizes": "1 along an axis that is over 2 times as coarse as the finest, else 3",
        "unit": units,
        "norm": f"batch norm needs more than {choice.batch} patches",
        "deep_supervision": "a loss on every level of the decoder teaches the coarse ones sooner",
    }
    if choice.large:
        reasons["stem"] = "a convolution before the first unit, as in these presets"
    return {key: Noted(value, reasons[key]) if key in reasons else value for key, value in arguments.items()}


def _data(found: Found, options: Options) -> Tree:
    choice, grid, fitted = found.choice, found.grid, found.fitted
    patch = list(choice.topology.patch)
    share = share_seen(patch, grid)
    seen = "holds a whole median volume of" if share >= 1 else f"{share:.0%} of a median volume of"
    large = choice.large
    tree: Tree = {
        "root": data_root(options.root),
        "patch_size": Noted(
            patch,
            f"{seen} {size_text(grid.shape)}; divisible by all strides; a step takes "
            f"{gib(fitted.measured.peak_bytes)} and {fitted.measured.step_s:.2f} s",
        ),
        "batch_size": Noted(choice.batch, _batch_words(choice)),
        "preprocessing": {"spacing_mm": grid.spacing_mm, "intensity": found.intensity, "crop": grid.crop},
    }
    if found.declared is not None:
        words = "as given" if options.labels else "values found in the masks; rename them as you like, 0 is background"
        tree["labels"] = Noted(found.declared, words)
    if options.spacing_mm is not None:
        tree["spacing_mm"] = Noted(list(options.spacing_mm), "of the slices, as given")
    tree["split"] = _split(found, options)
    return tree | {
        "steps_per_epoch": 250 if large else 100,
        "foreground_share": Noted(0.34, "a third of each batch is centred on a structure, so that no step is without"),
        "augmentation": found.augmentation,
        "workers": Noted(8 if large else 2, "processes that draw patches"),
        **({"cache_dir": str(options.cache_dir.absolute())} if options.cache_dir else {}),
    }


def _batch_words(choice: Choice) -> str:
    if choice.batch == 2:
        return "the least that steadies a step; more would cost time or memory"
    return "as patches are small" if not choice.large else "as memory allows, at most 5 % of all voxels"


def _split(found: Found, options: Options) -> Tree:
    groups = len({case.group for case in found.listing.cases})
    if found.listing.split is not None:
        return {"fold": Noted(0, "the data set's own split holds; of its folds this one validates")}
    words = f"a fifth of {groups} groups validates" if found.folds == 5 else f"as there are {groups} groups"
    tree: Tree = {"fold": 0, "folds": Noted(found.folds, f"{words}; a group is never parted")}
    if options.group_pattern is not None:
        tree["group_pattern"] = Noted(options.group_pattern, "as given")
    return tree
