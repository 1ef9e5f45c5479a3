"""Find the most wanted of several networks that fits memory and time, with few measurements."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.planning.costs import Cost, estimate
from pipeline.planning.quantities import gib
from pipeline.planning.trial import Measured, Trial, measure

log = logging.getLogger(__name__)

MOST_TRIALS = 4
BUSY_WORDS = "other programs took the cores meanwhile"
_MARGIN = 0.97  # a prediction this close to the limit counts as over it
_ENOUGH_S = 20.0  # of measuring, once something fits
# Multiply-adds of the forward pass in a second of a step, to begin with; what a step takes corrects it.
_FIRST_RATE = {"cpu": 2e10, "cuda": 3e12}


class DoesNotFitError(Exception):
    """Not even the least of the networks fits the memory."""


@dataclass(frozen=True)
class Rung:
    """One network of a ladder.

    Args:
        trial: Its training step.
        words: What it is, for the log.
        for_memory: Whether it is for want of memory alone: it shows too little to be taken for its speed.
    """

    trial: Trial
    words: str
    for_memory: bool = False


@dataclass(frozen=True)
class Limits:
    """What a step may take.

    Args:
        memory_bytes: Growth of the process.
        step_s: Seconds; None for any.
    """

    memory_bytes: int
    step_s: float | None = None

    def hold(self, found: Measured) -> bool:
        """Tell whether what was measured is within the limits."""
        return self.memory_holds(found) and (self.step_s is None or found.step_s <= self.step_s)

    def memory_holds(self, found: Measured) -> bool:
        """Tell whether memory is within its limit."""
        return found.ran and found.peak_bytes <= self.memory_bytes


@dataclass
class Scale:
    """How measured memory and time relate to the arithmetic; corrected by every measurement."""

    memory: float = 0.7
    seconds: float | None = None

    def learn(self, cost: Cost, found: Measured, limits: Limits) -> None:
        """Take in a measurement."""
        if found.ran:
            self.memory = found.peak_bytes / cost.bytes
            self.seconds = found.step_s / cost.multiply_adds
        else:
            self.memory = max(1.5 * self.memory, 1.2 * limits.memory_bytes / cost.bytes)

    def holds(self, cost: Cost, limits: Limits) -> bool:
        """Tell whether a cost will be within the memory."""
        return self.memory * cost.bytes <= _MARGIN * limits.memory_bytes

    def predicts(self, cost: Cost, limits: Limits, device: str) -> bool:
        """Tell whether a cost will be within the limits on a device."""
        rate = self.seconds or 1 / _FIRST_RATE[device.partition(":")[0]]
        slow = limits.step_s is not None and rate * cost.multiply_adds > _MARGIN * limits.step_s
        return self.holds(cost, limits) and not slow


@dataclass(frozen=True)
class Fitted:
    """What was chosen.

    Args:
        index: The rung.
        measured: What its step took.
        in_time: Whether it is as fast as was asked for.
        trials: How many steps were measured.
        bound: What keeps a more wanted one out: "memory", "time", or "nothing" where it is the first.
    """

    index: int
    measured: Measured
    in_time: bool
    trials: int
    bound: Literal["memory", "time", "nothing"] = "nothing"


@dataclass
class _Search:
    rungs: Sequence[Rung]
    limits: Limits
    scale: Scale
    found: dict[int, Measured] = field(default_factory=dict)
    costs: dict[int, Cost] = field(default_factory=dict)

    def cost(self, index: int) -> Cost:
        if index not in self.costs:
            self.costs[index] = estimate(self.rungs[index].trial)
        return self.costs[index]

    def predicts(self, index: int) -> bool:
        if self.rungs[index].for_memory:
            return self.scale.holds(self.cost(index), self.limits)
        return self.scale.predicts(self.cost(index), self.limits, self.rungs[index].trial.device)

    def good(self, index: int) -> bool:
        taken = self.found[index]
        return self.limits.memory_holds(taken) if self.rungs[index].for_memory else self.limits.hold(taken)

    def best(self) -> int | None:
        """Return the most wanted rung that was measured and is within the limits."""
        return min((index for index in self.found if self.good(index)), default=None)

    def next(self) -> int | None:
        """Return the rung to measure next, None when none is left that could be better."""
        best = self.best()
        wanted = [index for index in range(len(self.rungs)) if index not in self.found]
        wanted = wanted if best is None else [index for index in wanted if index < best]
        timely = [index for index in wanted if not self.rungs[index].for_memory]
        promising = next((index for index in timely if self.predicts(index)), None)
        if promising is not None or best is not None:
            return promising
        slow = [index for index, taken in self.found.items() if self.limits.memory_holds(taken)]
        cheapest = [index for index in timely if self.scale.holds(self.cost(index), self.limits)]
        if slow or cheapest:  # memory suffices: the last of these is as fast as it gets
            return cheapest[-1] if cheapest and cheapest[-1] > max(slow, default=-1) else None
        held = next((index for index in wanted if self.predicts(index)), None)
        least = len(self.rungs) - 1
        return held if held is not None else (least if least in wanted else None)

    def bound(self, chosen: int) -> Literal["memory", "time", "nothing"]:
        if chosen == 0:
            return "nothing"
        before = self.found.get(chosen - 1)
        held = self.limits.memory_holds(before) if before else self.scale.holds(self.cost(chosen - 1), self.limits)
        return "time" if held else "memory"


def fit(
    rungs: Sequence[Rung],
    limits: Limits,
    scale: Scale | None = None,
    take: Callable[[Trial, int], Measured] = measure,
    known: dict[str, Measured] | None = None,
) -> Fitted:
    """Return the most wanted rung whose measured step is within the limits.

    Memory is a limit that holds. Where time does not suffice for any, the fastest rung within memory is taken, but
    none of those that are for want of memory alone.

    Args:
        rungs: From the most wanted to the least.
        limits: Of memory and time.
        scale: What earlier measurements have taught; it is corrected in place.
        take: Measures a trial.
        known: Trials that were measured before, by what they are; it is added to in place.

    Raises:
        DoesNotFitError: Names the memory of the least rung.
    """
    known = {} if known is None else known
    search = _Search(rungs, limits, scale or Scale())
    begun, measured = time.monotonic(), 0
    while len(search.found) < MOST_TRIALS and (index := search.next()) is not None:
        if search.best() is not None and time.monotonic() - begun > _ENOUGH_S:
            break
        trial = rungs[index].trial
        if (taken := known.get(repr(trial))) is None:
            measured += 1
            log.info("Trying a training step, %d of at most %d: %s", measured, MOST_TRIALS, rungs[index].words)
            taken = known[repr(trial)] = take(trial, limits.memory_bytes)
            log.info("  %s", _told(taken))
        search.found[index] = taken
        search.scale.learn(search.cost(index), taken, limits)
    best = search.best()
    if best is None:
        best = max((index for index, taken in search.found.items() if limits.memory_holds(taken)), default=None)
    if best is None:
        least = rungs[max(search.found)]
        took = search.found[max(search.found)]
        raise DoesNotFitError(f"{least.words} takes {gib(took.peak_bytes)} of {gib(limits.memory_bytes)}")
    taken = search.found[best]
    return Fitted(best, taken, limits.hold(taken), len(search.found), search.bound(best))


def _told(taken: Measured) -> str:
    if not taken.ran:
        return "out of memory"
    computed = f" of computing; {BUSY_WORDS}" if taken.busy else ""
    return f"{gib(taken.peak_bytes)}, {taken.step_s:.2f} s{computed}"
