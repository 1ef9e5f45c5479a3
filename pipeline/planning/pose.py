"""A plan for keypoints: an hourglass, its input, its targets, and all that goes with it."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

from datamodules.annotations import find_poses
from datamodules.formats.errors import DataError
from pipeline.config.errors import UsageError
from pipeline.planning.fitting import Fitted, Scale
from pipeline.planning.noted import Noted, Tree
from pipeline.planning.plan import (
    SEED_WORDS,
    Options,
    Plan,
    data_root,
    fit_within,
    measured_words,
    steps_warnings,
    trainer_section,
)
from pipeline.planning.pose_fingerprint import PosePrint, take_pose_fingerprint
from pipeline.planning.pose_ladder import DEPTH, MULTIPLE, PADDING, PoseChoice, build_pose_ladder, pose_rungs
from pipeline.planning.quantities import duration, gib, size_text

log = logging.getLogger(__name__)

_STEP_PX = 4  # pixels of the input to a cell of the heatmap
_FIXED_DEGREES = 20.0  # subjects that turn by less are held by the set-up
_MANY, _FEW_SUBJECTS = 1000, 20
_SIGMA_CELLS = (1.0, 2.0)
_VIEWS, _SUBJECT_S = 4, 0.1  # forward passes for a subject that validates, mirrored ones among them; reading, drawing
_BELLS_APART = 3.0  # deviations between neighbouring joints


def plan_pose(options: Options) -> Plan:
    """Read annotations and return a config for them.

    Raises:
        DataError: If the annotations cannot be used.
        UsageError: If the memory does not suffice, or an option is for volumes alone.
    """
    if options.labels is not None or options.spacing_mm is not None or options.sheared != "refuse":
        raise UsageError(
            "--labels, --slice-spacing-mm and --sheared are for volumes, but this data set holds keypoints"
        )
    listing = find_poses(options.root, group_pattern=options.group_pattern)
    for origin in listing.origins:
        log.info("%s", origin)
    found = take_pose_fingerprint(listing)
    if found.groups < 2:
        raise DataError(
            options.root,
            expected="subjects of at least two groups (images or videos), one to train on and one to validate",
            found=f"{found.groups}",
            remedy="label more, or tell groups apart with --group-pattern",
        )
    for line in found.lines():
        log.info("  %s", line)
    log.info("Memory: %s; %s", options.memory_words, options.budget.limit_words())
    choices = build_pose_ladder(found, options.machine)
    fitted = fit_within(pose_rungs(choices, options.machine, len(found.joints)), options, Scale())
    choice = choices[fitted.index]
    step_s = options.loaded_s(fitted.measured, (choice.batch, 3, *choice.size))
    validating = math.ceil(found.subjects / _folds(found).value)
    last_s = validating * (_VIEWS * fitted.measured.step_s / 3 / choice.batch + _SUBJECT_S)
    options = replace(options, budget=replace(options.budget, validation_s=last_s))
    ending = options.budget.validation_words(validating, "subjects")
    warnings = steps_warnings(options, fitted, step_s)
    if found.subjects < _FEW_SUBJECTS:
        warnings.append(f"{found.subjects} labelled subjects are few: label more before trusting the result")
    return Plan(
        tree=_config(found, choice, fitted, options, step_s),
        header=(
            "The data:",
            *(f"  {line}" for line in found.lines()),
            "The machine:",
            f"  memory: {options.memory_words}",
            f"  time: {options.budget.limit_words()}; {ending}",
            f"  measured: {measured_words(options, fitted, step_s)}",
        ),
        fingerprint={"task": "pose", **found.to_dict()},
        summary=(*_summary(found, choice, fitted, options, step_s), ("then", ending)),
        warnings=tuple(warnings),
    )


def _config(found: PosePrint, choice: PoseChoice, fitted: Fitted, options: Options, step_s: float) -> Tree:
    return {
        "seed_everything": Noted(0, SEED_WORDS),
        "model": {"class_path": "PoseTask", "init_args": _model(found, choice, options)},
        "data": {"class_path": "PoseData", "init_args": _data(found, choice, fitted, options)},
        "trainer": trainer_section(options, step_s),
    }


def _model(found: PosePrint, choice: PoseChoice, options: Options) -> Tree:
    room = "on a CPU a step's time counts" if options.machine.kind == "cpu" else "as memory and time allow"
    return {
        "network": {
            "class_path": "Hourglass",
            "init_args": {
                "stacks": Noted(choice.stacks, f"hourglasses in a row, each with a loss of its own; {room}"),
                "features": Noted(
                    choice.features, "channels of each hourglass; the widest tried that memory and time allow"
                ),
                "depth": Noted(DEPTH, f"poolings: the input must be a multiple of {MULTIPLE}"),
            },
        },
        "optimizer": Noted("adamw", "warms up and falls along a cosine"),
        "learning_rate": Noted(0.004 if choice.features <= 128 else 0.002, "the peak; less for wider networks"),
        "codec": {
            "method": Noted("dark", "reads joints between the cells of a heatmap"),
            "sigma": sigma_of(found, choice.size),
        },
    }


def sigma_of(found: PosePrint, size: tuple[int, int]) -> Noted:
    """Return the width of the target in cells: a third of what lies between neighbouring joints, from 1 to 2.

    Args:
        found: The data set.
        size: Width and height of the input in pixels.
    """
    apart = found.nearest_px * _pixels_per_pixel(found, size) / _STEP_PX
    low, high = _SIGMA_CELLS
    sigma = round(4 * min(max(apart / _BELLS_APART, low), high)) / 4
    reason = (
        f"cells of the heatmap of {size_text((size[0] // _STEP_PX, size[1] // _STEP_PX))}: a third of the "
        f"{apart:.1f} cells between neighbouring joints, from {low:g} to {high:g}"
    )
    return Noted(sigma, reason)


def _pixels_per_pixel(found: PosePrint, size: tuple[int, int]) -> float:
    """Return the pixels of the input per pixel of the image."""
    padding = PADDING if found.subject[0] == "box" else 1.0
    shown = found.box_px if found.subject[0] == "box" else found.image_px
    return min(size[0] / shown[0], size[1] / shown[1]) / padding


def _data(found: PosePrint, choice: PoseChoice, fitted: Fitted, options: Options) -> Tree:
    scale = _pixels_per_pixel(found, choice.size)
    what = "boxes" if found.subject[0] == "box" else "frames"
    tree: Tree = {
        "root": data_root(options.root),
        "format": Noted(found.format, "the annotations' files are of it"),
        "input_size": Noted(
            list(choice.size),
            f"width and height: near the aspect of the {what}, {size_text(found.box_px)}; a subject spans "
            f"{found.extent_px * scale:.0f} pixels; a step takes {gib(fitted.measured.peak_bytes)} and "
            f"{fitted.measured.step_s:.2f} s",
        ),
        "batch_size": Noted(choice.batch, "subjects of a step, a quarter of all at most"),
        "subject": Noted(found.subject[0], found.subject[1]),
    }
    if found.subject[0] == "box":
        tree["padding"] = Noted(PADDING, "joints lie on the border of their box")
    split: Tree = {"folds": _folds(found)}
    if options.group_pattern is not None:
        split["group_pattern"] = Noted(options.group_pattern, "as given")
    return tree | {
        "split": split,
        "augmentation": _augmentation(found),
        **({"cache_dir": str(options.cache_dir.absolute())} if options.cache_dir else {}),
    }


def _folds(found: PosePrint) -> Noted:
    wanted = 10 if found.subjects >= _MANY else 5
    folds = max(2, min(wanted, found.groups))
    return Noted(folds, f"one of {folds} parts of {found.groups} groups validates; a group is never parted")


def _augmentation(found: PosePrint) -> Tree:
    return {
        "rotation_degrees": _rotation(found),
        "scaling": _scaling(found),
        "flip_p": _flip(found),
        "half_body_p": Noted(0.1, "a default for persons, that half of one may be seen alone")
        if _halves(found)
        else 0.0,
    }


def _scaling(found: PosePrint) -> Noted:
    """Return the range of random sizes: what was found in whole images, as a box brings subjects to one size."""
    if found.subject[0] == "box":
        return Noted([0.75, 1.25], "a default, as boxes bring subjects to one size and are only roughly as large")
    low, high = found.spread
    chosen = [round(min(max(low, 0.6), 0.9), 2), round(max(min(high, 1.4), 1.1), 2)]
    return Noted(chosen, f"9 in 10 subjects span {low:.2f} to {high:.2f} times the median; within 0.6 to 1.4")


def _halves(found: PosePrint) -> bool:
    return found.persons and found.subject[0] == "box" and len(found.joints) >= 8


def _rotation(found: PosePrint) -> Noted:
    turned = found.turned_degrees
    if turned < _FIXED_DEGREES:
        return Noted(15, f"subjects lie alike, within +- {turned:.0f} degrees")
    if found.persons:
        degrees = int(min(max(10 * math.ceil(turned / 20), 30), 60))
        return Noted(degrees, f"half of the +- {turned:.0f} degrees that persons turn by here, from 30 to 60")
    return Noted(180, f"subjects turn by +- {turned:.0f} degrees (standard deviation), so that any direction may come")


def _flip(found: PosePrint) -> Noted:
    if found.lonely:
        return Noted(0.0, f"no mirror images: {', '.join(found.lonely)} have a side but no partner to change with")
    if found.pairs:
        return Noted(0.5, f"left and right change places: {', '.join('/'.join(pair) for pair in found.pairs)}")
    return Noted(0.5, "no joint has a side, so that a mirror image is as good")


def _summary(
    found: PosePrint, choice: PoseChoice, fitted: Fitted, options: Options, step_s: float
) -> tuple[tuple[str, str], ...]:
    budget = options.budget
    return (
        (
            "input",
            f"{size_text(choice.size)} pixels of {'boxes' if found.subject[0] == 'box' else 'whole images'}, "
            f"heatmaps {size_text((choice.size[0] // _STEP_PX, choice.size[1] // _STEP_PX))}, "
            f"sigma {sigma_of(found, choice.size).value:g} cells",
        ),
        ("network", f"hourglass, {choice.stacks} stacks of {choice.features} features, depth {DEPTH}"),
        ("batch", f"{choice.batch} subjects"),
        ("measured", f"{gib(fitted.measured.peak_bytes)} and {step_s:.2f} s a step"),
        ("training", f"{duration(budget.length_s(step_s))}, up to {budget.steps(step_s)} steps"),
    )
