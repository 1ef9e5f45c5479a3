"""A plan for volumes and images with labels: a U-Net, its patch, and all that goes with it."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field, replace

from datamodules.cases import CaseList
from datamodules.formats.errors import DataError
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.training_check import inspect_for_training
from datamodules.splits import split_cases
from pipeline.planning.augmenting import choose_augmentation
from pipeline.planning.coarse import (
    AIM,
    LEAST_SHARE,
    consider_coarser,
    not_coarser,
    percent,
    share_seen,
    too_little_seen,
)
from pipeline.planning.costs import estimate
from pipeline.planning.fingerprint import Fingerprint, take_fingerprint
from pipeline.planning.fitting import Fitted, Scale
from pipeline.planning.grid_choice import GridChoice, choose_grid, prepared_shapes, structure_edges
from pipeline.planning.intensity_choice import choose_intensities
from pipeline.planning.label_values import list_cases
from pipeline.planning.noted import plain
from pipeline.planning.plan import Options, Plan, fit_within, measured_words, steps_warnings
from pipeline.planning.quantities import duration, gib, size_text
from pipeline.planning.reserve import Reserve
from pipeline.planning.segmentation_config import LOADING_WORKERS, Found, config_of
from pipeline.planning.trial import Measured
from pipeline.planning.unet_ladder import Choice, build_ladder, rungs_of
from pipeline.planning.validating import validation_s

log = logging.getLogger(__name__)

_FOLDS = 5
_FAR_OVER = 1.3  # times the share that is wanted: coarser than need be


@dataclass(frozen=True)
class _Network:
    """A U-Net that fits, and on which grid, for options that know the cases."""

    grid: GridChoice
    choice: Choice
    fitted: Fitted
    options: Options
    roomy: tuple[int, ...]  # the largest patch that memory has room for, whatever its step takes
    remarks: tuple[str, ...] = ()

    @property
    def step_s(self) -> float:
        shape = (self.choice.batch, self.options.reserve.channels, *self.choice.topology.patch)
        return self.options.loaded_s(self.fitted.measured, shape)


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
    sheared = options.sheared == "resample"
    facts = inspect_for_training(listing, split, options.cache, options.workers, sheared=sheared)
    fingerprint = take_fingerprint(listing, facts)
    for line in fingerprint.lines():
        log.info("  %s", line)
    intensity = choose_intensities(fingerprint.channels, fingerprint.dtypes, directed=fingerprint.directed)
    schemes = intensity.value if isinstance(intensity.value, list) else [intensity.value]
    network = _Search(fingerprint, facts, listing, options).network(
        choose_grid(fingerprint, list(facts.values()), schemes)
    )
    augmentation = choose_augmentation(fingerprint, facts, listing.labels.names, network.grid)
    shapes = prepared_shapes(facts, network.grid)
    last_s = validation_s(
        [shapes[case] for case in split.validation],
        network.choice.topology.patch,
        len([axis for axis in plain(augmentation).get("mirror_axes", []) if axis < network.grid.dims]),
        network.fitted.measured.step_s,
        network.choice.batch,
    )
    options = replace(network.options, budget=replace(options.budget, validation_s=last_s))
    network = replace(network, options=options)
    found = Found(
        listing,
        declared,
        folds,
        intensity,
        augmentation,
        network.grid,
        network.choice,
        network.fitted,
        network.step_s,
        fingerprint,
    )
    warnings = [*network.remarks, *steps_warnings(options, network.fitted, network.step_s)]
    return Plan(
        tree=config_of(found, options),
        header=_header(fingerprint, network, len(split.validation)),
        fingerprint={"task": "segmentation", **fingerprint.to_dict()},
        summary=_summary(network, len(split.validation)),
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


@dataclass
class _Search:
    """The search for a U-Net, on one grid or several, whose measurements serve each other."""

    fingerprint: Fingerprint
    facts: dict[str, CaseFacts]
    listing: CaseList
    options: Options
    scale: Scale = field(default_factory=Scale)
    known: dict[str, Measured] = field(default_factory=dict)

    def network(self, grid: GridChoice) -> _Network:
        """Measure U-Nets until one fits, on a coarser grid if memory lets too little of a volume be seen."""
        network = self._fit(grid)
        patch = network.choice.topology.patch
        if share_seen(patch, grid) >= LEAST_SHARE:
            return network
        if grid.dims == 2 or share_seen(network.roomy, grid) >= LEAST_SHARE:
            return replace(network, remarks=(too_little_seen(grid, patch, network.fitted.bound),))
        best, remark = self._coarser(network)
        if best is None:
            return replace(network, remarks=(remark,))
        return replace(best, remarks=(remark,))

    def _coarser(self, network: _Network) -> tuple[_Network | None, str]:
        grid, patch = network.grid, network.choice.topology.patch
        voxels = math.prod(network.roomy) / AIM  # for want of memory alone: never because of the time
        best: _Network | None = None
        for _ in range(2):
            cases = list(self.facts.values())
            coarser, remark = consider_coarser(grid, patch, self.fingerprint, cases, voxels)
            if coarser is None:
                return best, remark
            again = self._fit(coarser)
            share = share_seen(again.roomy, coarser)
            if share < LEAST_SHARE:
                return best, remark if best is not None else not_coarser(grid, patch)
            best = again
            if share < _FAR_OVER * LEAST_SHARE:
                break
            voxels = math.prod(again.roomy) / AIM  # a larger patch fits than was reckoned with: finer will do
        return best, remark

    def _fit(self, grid: GridChoice) -> _Network:
        largest = max(math.prod(shape) for shape in prepared_shapes(self.facts, grid).values())
        channels = len(self.listing.channel_names), self.listing.labels.num_channels
        machine = self.options.machine
        large = machine.kind == "cuda"
        workers = LOADING_WORKERS[machine.kind]
        options = replace(self.options, reserve=Reserve(workers, largest, *channels, on_gpu=large))
        log.info("Memory: %s; %s", options.memory_words, options.budget.limit_words())
        voxels = len(self.listing.cases) * math.prod(grid.shape)
        choices = build_ladder(grid, machine, voxels, structure_edges(self.fingerprint, grid))
        rungs = rungs_of(choices, machine, channels, overlapping=self.listing.labels.overlapping)
        fitted = fit_within(rungs, options, self.scale, self.known)
        topology = choices[fitted.index].topology
        roomy = [
            choice.topology.patch
            for choice, rung in zip(choices, rungs, strict=True)
            if self.scale.holds(estimate(rung.trial), options.limits)
        ]
        return _Network(grid, choices[fitted.index], fitted, options, max([topology.patch, *roomy], key=math.prod))


def _header(fingerprint: Fingerprint, network: _Network, cases: int) -> tuple[str, ...]:
    options = network.options
    return (
        "The data:",
        *(f"  {line}" for line in fingerprint.lines()),
        "The machine:",
        f"  memory: {options.memory_words}",
        f"  time: {options.budget.limit_words()}; {options.budget.validation_words(cases)}",
        f"  measured: {measured_words(options, network.fitted, network.step_s)}",
        *(f"Note: {remark}" for remark in network.remarks),
    )


def _summary(network: _Network, cases: int) -> tuple[tuple[str, str], ...]:
    grid, choice, step_s = network.grid, network.choice, network.step_s
    topology, budget = choice.topology, network.options.budget
    spacing = grid.spacing_mm.value
    share = percent(share_seen(topology.patch, grid))
    return (
        ("spacing", "as stored" if spacing == "native" else f"{size_text(list(spacing))} mm, crop '{grid.crop.value}'"),
        (
            "patch",
            f"{size_text(topology.patch)} of a median {size_text(grid.shape[: grid.dims])} ({share}), "
            f"batch {choice.batch}",
        ),
        (
            "network",
            f"U-Net {grid.dims}-D, {topology.levels} levels to {size_text(topology.coarsest)}, channels "
            f"{', '.join(map(str, choice.channels))}",
        ),
        ("measured", f"{gib(network.fitted.measured.peak_bytes)} and {step_s:.2f} s a step"),
        ("training", f"{duration(budget.length_s(step_s))}, up to {budget.steps(step_s)} steps"),
        ("then", budget.validation_words(cases)),
    )
