"""What every plan consists of, and the parts of a config that are the same for all tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from datamodules.cache import cache_folder
from pipeline.config.errors import UsageError
from pipeline.planning.budget import FEW_STEPS, MANY_STEPS, Budget
from pipeline.planning.fitting import BUSY_WORDS, DoesNotFitError, Fitted, Limits, Rung, Scale, fit
from pipeline.planning.loading import loaded_step_s
from pipeline.planning.machine import SHARE, Machine
from pipeline.planning.noted import Noted, Tree
from pipeline.planning.quantities import gib
from pipeline.planning.reserve import Reserve
from pipeline.planning.trial import Measured


@dataclass(frozen=True)
class Options:
    """What the user says of a plan.

    Args:
        root: The data set.
        machine: Where it shall be trained on.
        memory_bytes: What the training may take; None for what is free.
        budget: How long it may take.
        workers: Processes that read; 0 reads in this one.
        cache_dir: Where what was read is kept; None for the usual folder.
        labels: Names and values, where the data set does not give them.
        group_pattern: Finds the group in a case's name.
        spacing_mm: Of stacks and folders of slices.
        sheared: What happens to volumes whose axes are not at right angles.
        reserve: What the training holds beside its steps, as far as that is known.
    """

    root: Path
    machine: Machine
    memory_bytes: int | None
    budget: Budget
    workers: int = 2
    cache_dir: Path | None = None
    labels: Mapping[str, int | list[int]] | None = None
    group_pattern: str | None = None
    spacing_mm: tuple[float, float, float] | None = None
    sheared: Literal["refuse", "resample"] = "refuse"
    reserve: Reserve = field(default_factory=Reserve)

    @property
    def cache(self) -> Path:
        """Return the folder of what was read."""
        return cache_folder(self.cache_dir)

    @property
    def limits(self) -> Limits:
        """Return what a step may take: the memory less what a training holds beside its steps.

        Raises:
            UsageError: If that leaves nothing.
        """
        reserve = self.reserve
        if self._whole_bytes <= reserve.bytes:
            raise UsageError(
                f"--memory: expected more than the {gib(reserve.bytes)} that a training holds beside its steps "
                f"({reserve.words}), found {gib(self._whole_bytes)}"
            )
        return Limits(self._whole_bytes - reserve.bytes, self.budget.step_limit_s)

    @property
    def memory_words(self) -> str:
        """Return the memory and where it comes from, for the reader."""
        whose = "as was asked for" if self.memory_bytes else f"{SHARE:.0%} of what is free on this machine"
        return (
            f"{gib(self._whole_bytes)}, {whose}; {gib(self.reserve.bytes)} of it is for all beside the step: "
            f"{self.reserve.words}"
        )

    @property
    def _whole_bytes(self) -> int:
        return self.memory_bytes or int(SHARE * self.machine.free_bytes)

    def loaded_s(self, found: Measured, shape: Sequence[int]) -> float:
        """Return what a measured step takes beside the processes that draw its patches.

        Args:
            found: What was measured.
            shape: Of the batch, [B, C, *S].
        """
        return loaded_step_s(found.step_s, shape[0], math.prod(shape[1:]), self.machine.threads, self.machine.kind)


@dataclass(frozen=True)
class Plan:
    """A planned config.

    Args:
        tree: The config with its reasons.
        header: What stands at its top, without the command.
        fingerprint: The data set in numbers, JSON-able.
        summary: Pairs of name and text for the end of the command.
        warnings: What the user must know of it.
    """

    tree: Tree
    header: tuple[str, ...]
    fingerprint: dict[str, Any]
    summary: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...] = ()


def fit_within(
    rungs: Sequence[Rung], options: Options, scale: Scale, known: dict[str, Measured] | None = None
) -> Fitted:
    """Measure until the most wanted step that fits is found.

    Raises:
        UsageError: If the memory does not even hold the least of them.
    """
    try:
        return fit(rungs, options.limits, scale, known=known)
    except DoesNotFitError as error:
        raise UsageError(f"--memory: too little for any network: {error}; give more") from error


def trainer_section(options: Options, step_s: float) -> Tree:
    """Return the trainer's part of a config."""
    machine = options.machine
    return {
        "accelerator": Noted(machine.accelerator, f"{machine.name}: memory and time were measured on it"),
        "devices": Noted(machine.devices, "the plan is for one device"),
        "max_time": options.budget.max_time(step_s),
        "max_epochs": Noted(-1, "as many as fit max_time"),
        "precision": Noted(machine.precision, machine.precision_reason),
        "gradient_clip_val": Noted(
            12.0, "longer gradients are shortened to this, so that one odd batch does not spoil the weights"
        ),
    }


def data_root(root: Path) -> Noted:
    """Return the data set's path for a config."""
    return Noted(str(root.absolute()), "absolute, so that this file works from every folder")


def steps_warnings(options: Options, fitted: Fitted, step_s: float) -> list[str]:
    """Return what is to be said of the length of the training.

    Args:
        options: What the user says.
        fitted: What was chosen.
        step_s: What a step takes beside the drawing of patches.
    """
    found = []
    steps = options.budget.steps(step_s)
    if not fitted.in_time:
        found.append(
            f"no network that shows enough is as fast as the time asks for: a step takes {step_s:.2f} s, not "
            f"{options.budget.step_limit_s or 0:.2f} s"
        )
    if steps < FEW_STEPS:
        found.append(f"at most {steps} steps fit the time: too few to learn much, give more with --time")
    if steps > MANY_STEPS:
        found.append(f"{steps} steps fit the time: beyond {MANY_STEPS} there is rarely more to learn, less may do")
    if fitted.measured.busy:
        found.append(f"measured while busy: {BUSY_WORDS}; a step counts as what it computed")
    return found


def measured_words(options: Options, fitted: Fitted, step_s: float) -> str:
    """Return what was measured, for the reader."""
    taken = fitted.measured
    busy = f"; {BUSY_WORDS}, so that a step counts as what it computed" if taken.busy else ""
    return (
        f"one training step took {gib(taken.peak_bytes)} and {taken.step_s:.2f} s on {options.machine.name} in "
        f"{options.machine.precision} ({fitted.trials} measured){busy}; {step_s:.2f} s are reckoned with, as "
        "patches are drawn beside it"
    )


SEED_WORDS = "any number; another one draws other weights and patches"
