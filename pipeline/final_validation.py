"""The last word on a training: its model folder, run on the validation cases' files as `predict` would."""

import logging
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer

from datamodules.cases import Case
from datamodules.checks import read_pair
from datamodules.formats import read_labels
from datamodules.segmentation import SegmentationData
from pipeline.evaluation import DEFAULT_TOLERANCE_MM, StructureScore, encode_prediction, scores_of_encoded
from pipeline.evaluation_summary import format_table, summarise, write_scores, write_summary
from pipeline.finished import Finished
from pipeline.inference.folder import FolderPrediction
from pipeline.inference.outputs import output_names
from pipeline.inference.predictor import PredictionSettings, SegmentationPredictor
from pipeline.model_folder import ModelDescription, load_model_folder, save_model_folder
from pipeline.tasks.segmentation import SegmentationTask
from pipeline.tracking.pictures import dice_by_class_png
from pipeline.validation_pictures import Drawn, are_few, choose_cases, draw_case, mean_dice

log = logging.getLogger(__name__)


def finish_segmentation(task: SegmentationTask, data: SegmentationData, trainer: Trainer, folder: Path) -> Finished:
    """Write model folder, predictions, scores and pictures of a finished training.

    Args:
        task: The trained task, its network holding the weights to keep.
        data: The data it was trained on.
        trainer: The trainer that was used.
        folder: The run's folder; `model/`, `validation/` and `pictures/` are made in it.

    Raises:
        RuntimeError: If a validation case could not be predicted.
    """
    description = _describe(task, data, trainer)
    save_model_folder(folder / "model", task.network, description)
    _predict(data, trainer, folder)
    rows = [row for case in data.validation_cases for row in _score(data, case, folder)]
    summary = summarise(rows, tolerance_mm=DEFAULT_TOLERANCE_MM)
    write_scores(rows, folder / "validation")
    write_summary(summary, folder / "validation")
    log.info("validation on whole cases from their files\n%s", format_table(summary))
    result = _result(summary)
    description.metrics.update(result.metrics)
    origin = f"{len(data.ready.split.train)} cases of {data.root.name}"
    save_model_folder(folder / "model", task.network, description, data=origin)
    _draw(data, rows, folder)
    return result


def _describe(task: SegmentationTask, data: SegmentationData, trainer: Trainer) -> ModelDescription:
    mirror = data.augmentation.mirror_axes if data.augmentation else []
    return ModelDescription(
        task="segmentation",
        network={},
        preprocessing=data.ready.preprocessing.to_dict(),
        labels=data.labels.to_dict(),
        patch_size=list(data.patch_size),
        inference={
            # Mirroring helps only a network that saw mirrored patches.
            "mirror_axes": [axis for axis in mirror if axis < len(data.patch_size)],
            "precision": str(trainer.precision),
        },
        versions={},
        data_digest=data.digest,
        metrics={},
        training_range=data.ready.training_range,
    )


def _predict(data: SegmentationData, trainer: Trainer, folder: Path) -> None:
    model = load_model_folder(folder / "model")
    predictor = SegmentationPredictor(model, trainer.strategy.root_device, PredictionSettings())
    output = folder / "validation" / "predictions"
    output.mkdir(parents=True, exist_ok=True)
    report = FolderPrediction(predictor, output).run(data.validation_cases)
    failed = [f"{case.id}: {'; '.join(case.messages)}" for case in report.cases if case.status == "failed"]
    if failed:
        raise RuntimeError(f"validation cases that could not be predicted: {' | '.join(failed)}")


def _read(data: SegmentationData, case: Case, folder: Path) -> Drawn:
    """Read a case with its prediction, the label checked and brought to its grid as for training."""
    image, truth = read_pair(case, data.labels, resample_labels=data.resample_labels)
    path = folder / "validation" / "predictions" / output_names(case, data.labels, PredictionSettings()).labels
    return Drawn(image, encode_prediction(read_labels(path).array, data.labels, path), truth)


def _score(data: SegmentationData, case: Case, folder: Path) -> list[StructureScore]:
    drawn = _read(data, case, folder)
    return scores_of_encoded(drawn.found, drawn.truth, data.labels, drawn.image.spacing_mm, case=case.id)


def _result(summary: dict[str, Any]) -> Finished:
    means = {name: scores["dice"]["mean"] for name, scores in summary["structures"].items() if scores["dice"]}
    overall = {key: value["mean"] for key, value in summary["mean"].items() if value is not None}
    # A monitor is never NaN: with nothing to score it is 0.
    metrics = {"dice": 0.0} | overall | {f"dice/{name}": value for name, value in means.items()}
    if summary["error_rate"]:
        metrics["error_rate"] = summary["error_rate"]["mean"]
    scored = summary["cases"]["scored"]
    headline = f"Mean validation Dice {metrics['dice']:.4f} over {scored} cases"
    by_structure = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    return Finished(headline, [("by structure", by_structure)], metrics)


def _draw(data: SegmentationData, rows: list[StructureScore], folder: Path) -> None:
    """Draw the best, the middle and the worst validation cases with their references, and all scores."""
    chosen, means = choose_cases(rows), mean_dice(rows)
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    few = are_few(chosen)
    for case in data.validation_cases:
        if case.id in chosen:
            drawn = _read(data, case, folder)
            draw_case(case.id, chosen[case.id], means[case.id], drawn, data.labels, pictures, few)
    scores = [{"case": row.case, "class": row.structure, "dice": row.dice} for row in rows]
    dice_by_class_png(scores, pictures / "dice_by_class.png")
