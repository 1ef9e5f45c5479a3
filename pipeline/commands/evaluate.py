"""Score predicted masks against references."""

from pathlib import Path


def evaluate(
    input: Path,
    reference: Path,
    output: Path,
    tolerance_mm: float = 2.0,
    labels: dict[str, int | list[int]] | None = None,
    seed: int = 0,
    workers: int = 0,
) -> int:
    """Score predicted masks against references: Dice, IoU, Hausdorff-95, surface Dice and distance, volume.

    Writes scores.csv (a line per case and structure), summary.json (means with 95 % bootstrap intervals) and
    report.json (what became of each case). A case that cannot be scored is marked failed and listed there: a
    file without its partner, an unreadable one, or one on another grid. The others go on.

    Args:
        input: Folder of predictions, or one file.
        reference: Folder of references with the same names, or one file.
        output: Folder for the results; not the one of the predictions or references.
        tolerance_mm: Tolerance of the normalised surface Dice in mm.
        labels: Names and values of the structures, as {liver: 1, kidneys: 2}; by default those of labels.json
            beside the predictions, or of dataset.json beside the references.
        seed: Seed of the bootstrap.
        workers: Processes that score cases side by side; 0 works in this one.

    Returns:
        0 if every case was scored, 3 if some failed, 1 if all failed.

    Raises:
        DataError: If a folder holds no volumes or the structures cannot be found out.
        UsageError: If the options cannot be meant.

    Examples:
        pipeline evaluate --input masks --reference labelsTs --output scores
        pipeline evaluate --input masks --reference truth --output scores --labels '{membrane: 0, cell: 255}'
    """
    from pipeline.evaluation_run import run_evaluation

    return run_evaluation(
        input, reference, output, tolerance_mm=tolerance_mm, labels=labels, seed=seed, workers=workers
    )
