"""Check a data set before training: files, geometry, intensities, labels, folds, duplicates."""

from pathlib import Path
from typing import Literal


def check(
    data: Path,
    /,
    output: Path | None = None,
    labels: dict[str, int | list[int]] | None = None,
    label_map: dict[int, int] | None = None,
    group_pattern: str | None = None,
    folds: int = 5,
    seed: int = 0,
    slice_spacing_mm: list[float] | None = None,
    resample_labels: bool = False,
    sheared: Literal["refuse", "resample"] = "refuse",
    strict: bool = False,
    workers: int = 2,
    cache_dir: Path | None = None,
) -> int:
    """Read every case of a data set once, and say what is wrong, in which cases, and what to do about it.

    Prints the findings and writes check.json, with all that is known of each case, and check.html, one page with
    pictures and histograms. What was read is kept: a second check, and training, read changed files alone.

    Args:
        data: A folder in a known layout, a CSV table of paths, or a folder of annotated poses.
        output: Folder for check.json and check.html; by default check-NAME in this folder, after the data's name.
        labels: Names and values of the structures, as {liver: 1, kidneys: 2}, where the data declares none.
        label_map: Stored label values to be read as other ones, as {255: 1}.
        group_pattern: Regular expression whose first group, found in a case's name, is its patient.
        folds: Folds of the split; each of them is looked at.
        seed: Seed of the split.
        slice_spacing_mm: Spacing along X, Y and Z of stacks and folders of slices, as 0.5 0.5 2.
        resample_labels: Accept labels whose affine differs from the image's, as training does with
            data.resample_labels.
        sheared: What training shall do with volumes whose axes are not at right angles: refuse them, which is an error
            here, or resample them, as with data.preprocessing.sheared.
        strict: Count warnings as errors.
        workers: Processes that read side by side; 0 reads in this one.
        cache_dir: Where what was read is kept; by default that of training, .cache/segpose-pipeline in the home folder.

    Returns:
        The exit code: 0 without errors, 3 if some cases have errors and the others can be used, 1 if the data set
        as a whole cannot be trained on.

    Raises:
        UsageError: If the options cannot be meant.

    Examples:
        pipeline check data/Dataset004_Hippocampus
        pipeline check em_membranes --labels '{membrane: 0, cell: 255}' --output report
    """
    from datamodules.integrity.check import CheckSettings
    from pipeline.check_run import run_check
    from pipeline.config.errors import UsageError
    from pipeline.config.spacing import stated_spacing

    if folds < 2 or workers < 0:
        raise UsageError(f"expected --folds of 2 or more and --workers of 0 or more, found {folds} and {workers}")
    spacing_mm = stated_spacing(slice_spacing_mm)
    if not data.exists():
        raise UsageError(f"--data {data}: no such file or folder")
    settings = CheckSettings(
        labels, label_map, group_pattern, folds, seed, spacing_mm, resample_labels, strict, sheared
    )
    return run_check(data, settings, output=output, workers=workers, cache_dir=cache_dir)
