"""What drawing patches costs a training, whose step is measured without it."""

from __future__ import annotations

import os

# Measured with the usual augmentation on one core, and doubled for what workers send and processes take from another.
_DRAW_S_PER_VOXEL = 1e-7
_DRAW_S = 0.005
_FACTOR = 1.1  # the trainer's own work between two steps: averages of the weights, counters, the progress


def loaded_step_s(step_s: float, samples: int, voxels: int, threads: int, kind: str) -> float:
    """Return what a step takes beside the processes that draw its patches.

    Args:
        step_s: The step alone.
        samples: Patches or subjects of a batch.
        voxels: Of one, channels included.
        threads: That the step computes with; where they leave no core free, the drawing waits for them.
        kind: "cpu" or "cuda".
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    drawing = samples * (_DRAW_S + _DRAW_S_PER_VOXEL * voxels)
    if kind == "cuda":
        return _FACTOR * max(step_s, drawing / cores)
    return _FACTOR * max(step_s, (step_s * min(threads, cores) + drawing) / cores)
