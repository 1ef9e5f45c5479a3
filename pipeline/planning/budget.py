"""The length of a training: so many steps fit a time, or so much time is needed for a stated number of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.planning.machine import Kind
from pipeline.planning.noted import Noted
from pipeline.planning.quantities import duration, max_time, round_up_time

Task = Literal["segmentation", "pose"]

SHARE = 0.8  # of the time that goes into steps; validation, the first batches and writing take the rest
# So many steps shall fit a given time: fewer would hardly train anything, and a cheaper network does more in that time.
LEAST_STEPS: dict[Task, dict[Kind, int]] = {
    "segmentation": {"cpu": 1000, "cuda": 5000},
    "pose": {"cpu": 2000, "cuda": 5000},
}
# Without a given time: enough to be of use. nnU-Net takes 250,000 on a GPU.
USUAL_STEPS: dict[Task, dict[Kind, int]] = {
    "segmentation": {"cpu": 1000, "cuda": 25_000},
    "pose": {"cpu": 2000, "cuda": 25_000},
}
_USUAL_S = 4500.0  # of a CPU's time for that many steps, at most
_LEAST_STEP_S: dict[Kind, float] = {"cpu": 0.25, "cuda": 0.05}
FEW_STEPS = 250


@dataclass(frozen=True)
class Budget:
    """The time of a training.

    Args:
        kind: The device.
        seconds: What the user gives; None to find out.
        task: What is trained.
    """

    kind: Kind
    seconds: float | None
    task: Task = "segmentation"

    @property
    def step_limit_s(self) -> float | None:
        """Return the seconds that a step may take; None for any."""
        if self.seconds is None and self.kind == "cuda":
            return None
        wanted = LEAST_STEPS if self.seconds else USUAL_STEPS
        length = SHARE * (self.seconds or _USUAL_S)
        return max(length / wanted[self.task][self.kind], _LEAST_STEP_S[self.kind])

    @property
    def usual_steps(self) -> int:
        """Return the steps of a training whose time is not given."""
        return USUAL_STEPS[self.task][self.kind]

    def length_s(self, step_s: float) -> float:
        """Return the length of the training for a measured step."""
        return self.seconds or round_up_time(self.usual_steps * step_s / SHARE)

    def steps(self, step_s: float) -> int:
        """Return the steps that a training will take."""
        return max(1, int(SHARE * self.length_s(step_s) / step_s))

    def max_time(self, step_s: float) -> Noted:
        """Return the trainer's `max_time` with its reason."""
        length, steps = self.length_s(step_s), self.steps(step_s)
        whose = "as was asked for" if self.seconds else f"for about {self.usual_steps} steps"
        reason = f"{whose}: {duration(length)}, some {steps} steps of {step_s:.2f} s; the learning rate anneals over it"
        return Noted(max_time(length), f"days:hours:minutes:seconds, {reason}")

    def limit_words(self) -> str:
        """Return why a step must not take longer."""
        if self.step_limit_s is None:
            return "memory alone is the limit"
        return f"a step may take {self.step_limit_s:.2f} s, so that a training of this length has steps enough"
