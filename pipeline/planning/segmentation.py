"""A plan for volumes and images with labels: a U-Net, its patch, and all that goes with it."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from datamodules.cases import CaseList
from datamodules.formats.errors import DataError
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.training_check import inspect_for_training
from datamodules.splits import split_cases
from pipeline.planning.augmenting import choose_augmentation
from pipeline.planning.coarse import LEAST_SHARE, consider_coarser, not_coarser, share_seen
from pipeline.planning.fingerprint import Fingerprint, take_fingerprint
from pipeline.planning.fitting import Fitted, Scale
from pipeline.planning.grid_choice import GridChoice, choose_grid
from pipeline.planning.intensity_choice import choose_intensities
from pipeline.planning.label_values import list_cases
from pipeline.planning.plan import Options, Plan, fit_within, measured_words, steps_warnings
from pipeline.planning.quantities import duration, gib, size_text
from pipeline.planning.segmentation_config import Found, config_of
from pipeline.planning.unet_ladder import Choice, build_ladder, rungs_of

log = logging.getLogger(__name__)

_FOLDS = 5


@dataclass(frozen=True)
class _Network:
    """A U-Net that fits, and on which grid."""

    grid: GridChoice
    choice: Choice
    fitted: Fitted
    remarks: tuple[str, ...]


def plan_segmentation(options: Options) -> Plan:
    """Read a data set and return a config for it.

    Raises:
        DataError: If cases cannot be used; the check's findings are named.
        UsageError: If the memory does not suffice.
    """
    listing, declared = list_cases(
        options.root, options.labels, options.group_pattern, options.spacing_mm, options.workers
    )
    folds = folds_of(listing)
    split = listing.split or split_cases(listing.cases, fold=0, folds=folds, seed=0)
    facts = inspect_for_training(listing, split, options.cache, options.workers)
    fingerprint = take_fingerprint(listing, facts)
    for line in fingerprint.lines():
        log.info("  %s", line)
    intensity = choose_intensities(fingerprint.channels, fingerprint.dtypes, directed=fingerprint.directed)
    schemes = intensity.value if isinstance(intensity.value, list) else [intensity.value]
    cases = list(facts.values())
    network = _choose_network(choose_grid(fingerprint, cases, schemes), fingerprint, cases, listing, options)
    augmentation = choose_augmentation(fingerprint, facts, listing.labels.names, network.grid)
    found = Found(listing, declared, folds, intensity, augmentation, network.grid, network.choice, network.fitted)
    tree = config_of(found, options)
    warnings = [*network.remarks, *steps_warnings(options, network.fitted)]
    return Plan(
        tree=tree,
        header=_header(fingerprint, network, options),
        fingerprint={"task": "segmentation", **fingerprint.to_dict()},
        summary=_summary(network, options),
        warnings=tuple(warnings),
    )


def folds_of(listing: CaseList) -> int:
    """Return the number of folds: five, or one for each group where there are fewer.

    Raises:
        DataError: If all cases are of one group, so that none could validate.
    """
    groups = len({case.group for case in listing.cases})
    if groups < 2 and listing.split is None:
        raise DataError(
            listing.root,
            expected="cases of at least two groups (patients), one to train on and one to validate",
            found=f"{len(listing.cases)} case(s) of {groups} group",
            remedy="add cases, or tell patients apart with --group-pattern",
        )
    return max(2, min(_FOLDS, groups))


def _choose_network(
    grid: GridChoice, fingerprint: Fingerprint, cases: list[CaseFacts], listing: CaseList, options: Options
) -> _Network:
    """Measure U-Nets until one fits, on a coarser grid if too little of a volume would be seen."""
    scale = Scale()
    log.info("Memory: %s; %s", options.memory_words, options.budget.limit_words())
    network = _fit(grid, listing, options, scale)
    if grid.dims == 2 or share_seen(network.choice.topology.patch, grid) >= LEAST_SHARE:
        return network
    coarser, remark = consider_coarser(grid, network.choice.topology.patch, fingerprint, cases)
    if coarser is not None:
        again = _fit(coarser, listing, options, scale)
        if share_seen(again.choice.topology.patch, coarser) >= LEAST_SHARE:
            network = again
        else:
            remark = not_coarser(grid, network.choice.topology.patch)
    return _Network(network.grid, network.choice, network.fitted, (remark,))


def _fit(grid: GridChoice, listing: CaseList, options: Options, scale: Scale) -> _Network:
    choices = build_ladder(grid, options.machine, len(listing.cases) * math.prod(grid.shape))
    channels = len(listing.channel_names), listing.labels.num_channels
    overlapping = listing.labels.overlapping
    rungs = rungs_of(choices, options.machine, channels, overlapping=overlapping)
    fitted = fit_within(rungs, options, scale)
    return _Network(grid, choices[fitted.index], fitted, ())


def _header(fingerprint: Fingerprint, network: _Network, options: Options) -> tuple[str, ...]:
    return (
        "The data:",
        *(f"  {line}" for line in fingerprint.lines()),
        "The machine:",
        f"  memory: {options.memory_words}",
        f"  time: {options.budget.limit_words()}",
        f"  measured: {measured_words(options, network.fitted)}",
        *(f"Note: {remark}" for remark in network.remarks),
    )


def _summary(network: _Network, options: Options) -> tuple[tuple[str, str], ...]:
    grid, choice, step_s = network.grid, network.choice, network.fitted.measured.step_s
    topology, budget = choice.topology, options.budget
    spacing = grid.spacing_mm.value
    share = share_seen(topology.patch, grid)
    return (
        ("spacing", "as stored" if spacing == "native" else f"{size_text(list(spacing))} mm, crop '{grid.crop.value}'"),
        (
            "patch",
            f"{size_text(topology.patch)} of a median {size_text(grid.shape)} ({share:.0%}), batch {choice.batch}",
        ),
        (
            "network",
            f"U-Net {grid.dims}-D, {topology.levels} levels to {size_text(topology.coarsest)}, channels "
            f"{', '.join(map(str, choice.channels))}",
        ),
        ("measured", f"{gib(network.fitted.measured.peak_bytes)} and {step_s:.2f} s a step"),
        ("training", f"{duration(budget.length_s(step_s))}, about {budget.steps(step_s)} steps"),
    )
