"""What the literature claims of residual networks, measured on a real task.

    python benchmarks/residual_claims.py [--minutes 22] [--quick]

Small networks learn to tell membrane from cell at the centre of a patch of an electron micrograph (ISBI 2012).
Written are a page with tables, verdicts and pictures; its tables are printed. Networks that are compared take the
same number of steps on the same batches; how many, a short calibration finds, so that all fits into the time.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import torch
from claims.convergence import convergence_section, train_variants
from claims.data import PATCH, find_data, load_slices
from claims.deletion import delete_each, deletion_section
from claims.depth import depth_section, train_depths
from claims.initialisation import gradient_section, measure_gradients
from claims.plan import QUICK, Plan, Scale, make_plan
from claims.report import Section, general_settings, table, verdict_rows, write_page
from claims.training import Task, make_task
from claims.variance import measure_variances, variance_section

PAGE = Path(__file__).parents[1] / "docs" / "residual_claims"
QUICK_STEPS, MOST_STEPS = 4, 2000
_INITIAL_PATCHES = 32  # in the measurements at initialisation
_OPENING = [
    "```sh",
    "python benchmarks/residual_claims.py",
    "```",
    "writes this page with its pictures, wholly, in about the time of `--minutes`. `--quick` tries all parts in a",
    "minute, with numbers that mean nothing.",
    "",
    "The task is real: membrane or cell at the centre of a patch of an electron micrograph (ISBI 2012 challenge; after",
    "Ciresan et al. 2012), half of the patches each, so that a guess has an error of 0.5. A verdict is computed from",
    "the numbers: `agrees` where every seed shows the claim by more than chance, `disagrees` where every seed shows",
    "the contrary, else `not clear within the spread`; that an error is not higher agrees where its mean is not.",
    "Minutes of training on one small task say little about long ones.",
]


class Clock:
    """Print each thing that is done, with the time that is left."""

    def __init__(self, seconds: float) -> None:
        self._begun, self._seconds = time.monotonic(), seconds

    @property
    def passed_s(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._begun

    def done(self, line: str) -> None:
        """Print what is done."""
        left = (self._seconds - self.passed_s) / 60
        print(f"[{self.passed_s / 60:5.1f} min, {left:5.1f} left] {line}", flush=True)


def measure(task: Task, held_out_task: Task, scale: Scale, plan: Plan, clock: Clock) -> list[Section]:
    """Measure all claims.

    Args:
        task: What networks are trained and scored on.
        held_out_task: The same with fewer patches, for deletions.
        scale: Sizes of the measurements.
        plan: Steps of the trainings.
        clock: Told of progress.
    """
    initial = task.slices.draw(_INITIAL_PATCHES, (0, 4))
    depth, seeds = max(scale.depths), range(scale.seeds)
    gradients = measure_gradients(initial, depth=depth, width=scale.width, seeds=scale.initial_seeds)
    clock.done("gradients at initialisation")
    variances = measure_variances(initial.image, blocks=scale.blocks, seeds=scale.initial_seeds)
    clock.done("variances at initialisation")
    trained = train_depths(
        task,
        families=scale.families,
        depths=scale.depths,
        width=scale.width,
        steps=plan.steps,
        seeds=seeds,
        done=clock.done,
    )
    patches = held_out_task.held_out
    deletions = {key: [delete_each(run.network, patches) for run in runs] for key, runs in trained.items()}
    clock.done("blocks deleted")
    variants = train_variants(
        task,
        depth=min(scale.depths),
        width=scale.variant_width,
        steps=plan.variant_steps,
        seeds=range(scale.variant_seeds),
        done=clock.done,
    )
    return [
        depth_section(trained, scale.patches),
        deletion_section(deletions),
        gradient_section(gradients, depth),
        variance_section(variances),
        convergence_section(variants, min(scale.depths)),
    ]


def settings(task: Task, scale: Scale, plan: Plan, minutes: float) -> dict[str, str]:
    """Return what the page says of how it was measured."""
    return general_settings(
        f"{len(task.slices)} slices trained on, the last quarter of all held out; patches of {PATCH} x {PATCH}"
    ) | {
        "training": f"SGD with momentum 0.9, weight decay 1e-4, {scale.batch} patches per step, bf16, channels last",
        "depth": f"{plan.steps} steps, {scale.seeds} seeds, width {scale.width:g}, {scale.patches} patches per error",
        "variants": f"{plan.variant_steps} steps, {scale.variant_seeds} seeds, width {scale.variant_width:g}",
        "deletion": f"{scale.deletion_patches} held-out patches",
        "time": f"{minutes:.1f} minutes",
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of images/ and masks/ (default: ../shared/data/em_membranes)")
    parser.add_argument("--output", type=Path, default=PAGE, help="page without its ending (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=22.0, help="time for all of it (default: 22)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default: 2)")
    parser.add_argument("--highway", action="store_true", help="train the highway twins too")
    parser.add_argument("--quick", action="store_true", help="try every part in a minute; the numbers mean nothing")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    scale = QUICK if given.quick else Scale()
    if given.highway:
        scale = dataclasses.replace(scale, families=(*scale.families, "highway"))
    slices, held_out = load_slices(find_data(given.data))
    task = make_task(slices, held_out, scale.patches, scale.batch)
    clock = Clock(60 * given.minutes)
    plan = make_plan(task, scale, 60 * given.minutes, QUICK_STEPS if given.quick else MOST_STEPS)
    clock.done(f"calibrated: {plan}; forecast {plan.forecast_s / 60:.1f} minutes")
    sections = measure(task, make_task(slices, held_out, scale.deletion_patches), scale, plan, clock)
    described = settings(task, scale, plan, clock.passed_s / 60)
    print("\n".join(line for part in sections for line in ["", part.title, *table(part.header, part.rows)]))
    print("\n".join(["", *table(("claim", "verdict", "seen"), verdict_rows(sections))]))
    for path in write_page(given.output, _OPENING, described, sections):
        print(path)


if __name__ == "__main__":
    main()
