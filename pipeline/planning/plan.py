"""What every plan consists of, and the parts of a config that are the same for all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.errors import UsageError
from pipeline.planning.budget import FEW_STEPS, Budget
from pipeline.planning.fitting import DoesNotFitError, Fitted, Limits, Rung, Scale, fit
from pipeline.planning.machine import RESERVE_BYTES, SHARE, Machine
from pipeline.planning.noted import Noted, Tree
from pipeline.planning.quantities import gib


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

    @property
    def cache(self) -> Path:
        """Return the folder of what was read."""
        return self.cache_dir or Path.home() / ".cache" / "segpose-pipeline"

    @property
    def limits(self) -> Limits:
        """Return what a step may take: the memory less what a training holds beside its steps.

        Raises:
            UsageError: If that leaves nothing.
        """
        whole = self.memory_bytes or int(SHARE * self.machine.free_bytes)
        reserve = RESERVE_BYTES[self.machine.kind]
        if whole <= reserve:
            raise UsageError(
                f"--memory: expected more than the {gib(reserve)} that a training holds beside its steps, found "
                f"{gib(whole)}"
            )
        return Limits(whole - reserve, self.budget.step_limit_s)

    @property
    def memory_words(self) -> str:
        """Return the memory and where it comes from, for the reader."""
        reserve = gib(RESERVE_BYTES[self.machine.kind])
        if self.memory_bytes:
            return f"{gib(self.memory_bytes)} as was asked for, {reserve} of it for all beside the step"
        whole = gib(int(SHARE * self.machine.free_bytes))
        return f"{whole}, {SHARE:.0%} of what is free on this machine, {reserve} of it for all beside the step"


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


def fit_within(rungs: Sequence[Rung], options: Options, scale: Scale) -> Fitted:
    """Measure until the most wanted step that fits is found.

    Raises:
        UsageError: If the memory does not even hold the least of them.
    """
    try:
        return fit(rungs, options.limits, scale)
    except DoesNotFitError as error:
        raise UsageError(f"--memory: too little for any network: {error}; give more") from error


def trainer_section(options: Options, step_s: float) -> Tree:
    """Return the trainer's part of a config."""
    machine = options.machine
    return {
        "accelerator": Noted(machine.accelerator, f"{machine.name}: memory and time were measured on it"),
        "devices": machine.devices,
        "max_time": options.budget.max_time(step_s),
        "max_epochs": Noted(-1, "the time alone is the limit"),
        "precision": Noted(machine.precision, machine.precision_reason),
        "gradient_clip_val": Noted(12.0, "nnU-Net's bound: cuts off single steps gone wrong"),
    }


def data_root(root: Path) -> Noted:
    """Return the data set's path for a config."""
    return Noted(str(root.absolute()), "absolute, so that this file works from every folder")


def steps_warnings(options: Options, fitted: Fitted) -> list[str]:
    """Return what is to be said of the length of the training."""
    found = []
    steps = options.budget.steps(fitted.measured.step_s)
    if not fitted.in_time:
        found.append(
            f"no network was as fast as the time asks for: a step takes {fitted.measured.step_s:.2f} s, not "
            f"{options.budget.step_limit_s or 0:.2f} s"
        )
    if steps < FEW_STEPS:
        found.append(f"only some {steps} steps fit the time: too few to learn much, give more with --time")
    return found


def measured_words(options: Options, fitted: Fitted) -> str:
    """Return what was measured, for the reader."""
    taken = fitted.measured
    return (
        f"one training step took {gib(taken.peak_bytes)} and {taken.step_s:.2f} s on {options.machine.name} in "
        f"{options.machine.precision} ({fitted.trials} measured)"
    )
