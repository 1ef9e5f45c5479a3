"""The config of a U-Net's training, each value with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from datamodules.cases import CaseList
from pipeline.planning.coarse import percent, share_seen
from pipeline.planning.fingerprint import Fingerprint
from pipeline.planning.fitting import Fitted
from pipeline.planning.grid_choice import GridChoice
from pipeline.planning.machine import Kind
from pipeline.planning.noted import Noted, Tree
from pipeline.planning.plan import SEED_WORDS, Options, data_root, trainer_section
from pipeline.planning.quantities import gib, size_text
from pipeline.planning.topology import LEAST_EDGE
from pipeline.planning.unet_ladder import Choice

LOADING_WORKERS: dict[Kind, int] = {"cpu": 2, "cuda": 8}  # processes that draw patches
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
        step_s: What a step takes beside the drawing of patches.
        fingerprint: The data set in numbers.
    """

    listing: CaseList
    declared: dict[str, int | list[int]] | None
    folds: int
    intensity: Noted
    augmentation: dict[str, Any]
    grid: GridChoice
    choice: Choice
    fitted: Fitted
    step_s: float
    fingerprint: Fingerprint


def config_of(found: Found, options: Options) -> Tree:
    """Return the whole config."""
    return {
        "seed_everything": Noted(0, SEED_WORDS),
        "model": {"class_path": "SegmentationTask", "init_args": _model(found, options)},
        "data": {"class_path": "SegmentationData", "init_args": _data(found, options)},
        "trainer": trainer_section(options, found.step_s),
    }


def _model(found: Found, options: Options) -> Tree:
    steps = options.budget.steps(found.step_s)
    if found.choice.large and steps >= _SGD_STEPS:
        optimiser: Tree = {
            "optimizer": Noted("sgd", f"nnU-Net's, as there are up to {steps} steps"),
            "learning_rate": Noted(0.01, "nnU-Net's, falling to 0"),
            "weight_decay": Noted(3.0e-5, "nnU-Net's"),
        }
    else:
        optimiser = {
            "optimizer": Noted("adamw", "learns within hundreds of steps; SGD needs tens of thousands"),
            "learning_rate": Noted(0.001 if found.choice.large else 0.002, "the peak, after a warm-up"),
        }
    over, dice = _batch_dice(found)
    return {
        "network": {"class_path": "UNet", "init_args": _network(found, options)},
        **optimiser,
        "batch_dice": Noted(over, dice),
    }


def _batch_dice(found: Found) -> tuple[bool, str]:
    """Return whether Dice is taken over the batch, and why."""
    partly = [
        f"{name} in {each.cases} of {found.fingerprint.cases}"
        for name, each in found.fingerprint.structures.items()
        if each.cases < found.fingerprint.cases
    ]
    if found.grid.dims == 2 and found.grid.shape[2] > 1:
        return True, "Dice over the batch: a single slice rarely holds all structures"
    if partly:
        shown = ", ".join(partly[:3]) + (f" and {len(partly) - 3} more" if len(partly) > 3 else "")
        return True, f"Dice over the batch, as not every case holds all structures: {shown}"
    if found.grid.dims == 2:
        return False, "Dice of each image by itself, as every image holds all structures"
    return True, "Dice over the batch: a patch may miss a structure that another one shows"


def _network(found: Found, options: Options) -> Tree:
    choice, topology = found.choice, found.choice.topology
    arguments = choice.arguments()
    first, cap = choice.channels[0], choice.channels[-1]
    why = {
        "nothing": "the widest that is tried",
        "memory": "more, or a larger patch, does not fit the memory",
        "time": f"more, or a larger patch, takes longer than the {options.budget.step_limit_s or 0:.2f} s of a step",
    }[found.fitted.bound]
    steps = f"an axis is halved while {2 * LEAST_EDGE} voxels are left; coarsest level {size_text(topology.coarsest)}"
    uneven = any(len(set(each)) > 1 for each in (*topology.kernels, *topology.strides))
    reasons = {
        "spatial_dims": found.grid.dims_reason,
        "channels": f"doubled from {first} to {cap} at most; {why}",
        "strides": f"{steps}; an axis over 2 times as coarse as the finest waits" if uneven else steps,
        "kernel_sizes": "1 along an axis over 2 times as coarse as the finest, or of one voxel"
        if uneven
        else "all axes alike",
        "unit": "residual" if choice.large else "residual, but plain on the finest level, which costs most",
        "units_per_level": "nnU-Net's residual encoder, preset M and on" if choice.large else "the least, for speed",
        "decoder_unit": "the decoder is kept light, as in nnU-Net",
        "norm": f"over each patch by itself: {choice.batch} are too few for means over a batch",
        "deep_supervision": "a loss on every level of the decoder teaches the coarse ones sooner",
    }
    if choice.large:
        reasons["stem"] = "a convolution before the first unit, as in these presets"
    return {key: Noted(value, reasons[key]) if key in reasons else value for key, value in arguments.items()}


def _data(found: Found, options: Options) -> Tree:
    choice, grid, fitted = found.choice, found.grid, found.fitted
    patch = list(choice.topology.patch)
    share = share_seen(patch, grid)
    what = "image" if grid.dims == 2 else "volume"
    seen = f"holds a whole median {what} of" if share >= 1 else f"{percent(share)} of a median {what} of"
    large = choice.large
    foreground = max(1, round(choice.batch * 0.34))
    tree: Tree = {
        "root": data_root(options.root),
        "patch_size": Noted(
            patch,
            f"{seen} {size_text(grid.shape[: grid.dims])}; divisible by all strides; a step takes "
            f"{gib(fitted.measured.peak_bytes)} and {fitted.measured.step_s:.2f} s",
        ),
        "batch_size": Noted(choice.batch, _batch_words(found)),
        "preprocessing": {
            "spacing_mm": grid.spacing_mm,
            "intensity": found.intensity,
            "crop": grid.crop,
            **({"sheared": Noted(options.sheared, "as given")} if options.sheared != "refuse" else {}),
        },
    }
    if found.declared is not None:
        words = "as given" if options.labels else "values found in the masks; rename them as you like, 0 is background"
        tree["labels"] = Noted(found.declared, words)
    if options.spacing_mm is not None:
        tree["spacing_mm"] = Noted(list(options.spacing_mm), "of the slices, as given")
    tree["split"] = _split(found, options)
    return tree | {
        "steps_per_epoch": Noted(250 if large else 100, "after which numbers are logged, and validation may be due"),
        "foreground_share": Noted(
            0.34, f"{foreground} of {choice.batch} patches centred on a structure, in every step"
        ),
        "augmentation": found.augmentation,
        "workers": Noted(LOADING_WORKERS[options.machine.kind], "processes that draw patches"),
        **({"cache_dir": str(options.cache_dir.absolute())} if options.cache_dir else {}),
    }


def _batch_words(found: Found) -> str:
    choice = found.choice
    if choice.batch == 2:
        return "the least that is tried; more would be at the cost of width or patch"
    voxels = choice.batch * math.prod(choice.topology.patch)
    return f"{voxels / 1000:.0f} thousand voxels a step, within 5 % of all cases' and of what is worth its time"


def _split(found: Found, options: Options) -> Tree:
    groups = len({case.group for case in found.listing.cases})
    if found.listing.split is not None:
        return {"fold": Noted(0, "the data set's own split holds; of its folds this one validates")}
    words = f"a fifth of {groups} groups validates" if found.folds == 5 else f"as there are {groups} groups"
    tree: Tree = {
        "fold": Noted(0, "the part that validates; the others train"),
        "folds": Noted(found.folds, f"{words}; a group is never parted"),
    }
    if options.group_pattern is not None:
        tree["group_pattern"] = Noted(options.group_pattern, "as given")
    return tree
