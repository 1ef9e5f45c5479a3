"""The length of a training: so many steps fit a time, or so much time is needed for a stated number of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.planning.machine import Kind
from pipeline.planning.noted import Noted
from pipeline.planning.quantities import duration, max_time, round_up_time

Task = Literal["segmentation", "pose"]

SHARE = 0.75  # of the time that goes into steps; validation on the way, the first batches and writing take the rest
# A long time shall hold so many steps: fewer would hardly train anything, and a cheaper network does more in that time.
LEAST_STEPS: dict[Task, dict[Kind, int]] = {
    "segmentation": {"cpu": 1000, "cuda": 5000},
    "pose": {"cpu": 2000, "cuda": 5000},
}
SHORT_STEPS = 300  # and a short one: a network that is too narrow, or sees too little, is not worth more
_SHORT_STEP_S = 1.5  # of a step while the time is short; a longer time goes into more steps
# Without a given time: enough to be of use. nnU-Net takes 250,000 on a GPU.
USUAL_STEPS: dict[Task, dict[Kind, int]] = {
    "segmentation": {"cpu": 1000, "cuda": 25_000},
    "pose": {"cpu": 2000, "cuda": 25_000},
}
_USUAL_S = 4500.0  # of a CPU's time for that many steps, at most
_LEAST_STEP_S: dict[Kind, float] = {"cpu": 0.25, "cuda": 0.05}
FEW_STEPS, MANY_STEPS = 250, 100_000
_WORTH_COUNTING = 0.1  # of the time: a last validation that takes longer is taken off
_LEAST_LENGTH = 0.5  # of the time that is always trained


@dataclass(frozen=True)
class Budget:
    """The time of a training.

    Args:
        kind: The device.
        seconds: What the user gives; None to find out.
        task: What is trained.
        validation_s: What the last validation, from the files, will take after the training.
    """

    kind: Kind
    seconds: float | None
    task: Task = "segmentation"
    validation_s: float = 0.0

    @property
    def wanted_steps(self) -> int:
        """Return the steps that shall fit the time."""
        most = LEAST_STEPS[self.task][self.kind]
        if self.seconds is None:
            return USUAL_STEPS[self.task][self.kind]
        short = _SHORT_STEP_S if self.kind == "cpu" else _LEAST_STEP_S["cuda"]
        return int(min(most, max(SHORT_STEPS, SHARE * self.seconds / short)))

    @property
    def step_limit_s(self) -> float | None:
        """Return the seconds that a step may take; None for any."""
        if self.seconds is None and self.kind == "cuda":
            return None
        return max(SHARE * (self.seconds or _USUAL_S) / self.wanted_steps, _LEAST_STEP_S[self.kind])

    @property
    def counts_validation(self) -> bool:
        """Return whether the last validation is taken off a given time."""
        return self.seconds is not None and self.validation_s > _WORTH_COUNTING * self.seconds

    def length_s(self, step_s: float) -> float:
        """Return the length of the training for a measured step, without the last validation."""
        if self.seconds is None:
            return round_up_time(self.wanted_steps * step_s / SHARE)
        if self.counts_validation:
            return max(self.seconds - self.validation_s, _LEAST_LENGTH * self.seconds)
        return self.seconds

    def steps(self, step_s: float) -> int:
        """Return the steps that a training will take at most."""
        return max(1, int(SHARE * self.length_s(step_s) / step_s))

    def max_time(self, step_s: float) -> Noted:
        """Return the trainer's `max_time` with its reason."""
        steps = self.steps(step_s)
        if self.seconds is None:
            whose = f"enough for about {self.wanted_steps} steps"
        elif self.counts_validation:
            whose = f"{duration(self.seconds)} was asked for, and the rest is for the last validation"
        else:
            whose = "as was asked for"
        reason = (
            f"{whose}; up to {steps} steps of {step_s:.2f} s in {SHARE:.0%} of it, the rest for validation on the way; "
            "the learning rate falls over it"
        )
        return Noted(max_time(self.length_s(step_s)), f"days:hours:minutes:seconds, {reason}")

    def limit_words(self) -> str:
        """Return why a step must not take longer."""
        limit = self.step_limit_s
        if limit is None:
            return "a step may take any time, memory alone is the limit"
        length = duration(self.seconds or _USUAL_S)
        if limit == _LEAST_STEP_S[self.kind]:
            return f"a step may take {limit:.2f} s: {length} are short, but no network does with less"
        return (
            f"a step may take {limit:.2f} s: {SHARE:.0%} of {length}, divided by the {self.wanted_steps} steps that "
            "are wanted at least"
        )

    def validation_words(self, count: int, what: str = "cases") -> str:
        """Return what the last validation takes, for the reader."""
        words = f"the last validation, of {count} {what} from their files, takes about {duration(self.validation_s)}"
        if self.seconds is None:
            return f"{words} more than the training"
        if not self.counts_validation:
            return f"{words} beyond --time"
        if self.seconds - self.validation_s < _LEAST_LENGTH * self.seconds:
            return f"{words}, over half of --time; the training takes the other half, so that all ends later"
        return f"{words}, which --time counts: the training takes the rest"
