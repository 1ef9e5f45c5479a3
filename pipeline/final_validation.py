"""The last word on a training: its model folder, run on the validation cases' files as `predict` would."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning import Trainer

from datamodules.cases import Case
from datamodules.checks import read_pair
from datamodules.formats import read_labels
from datamodules.formats.volume import Volume
from datamodules.geometry import to_canonical
from datamodules.segmentation import SegmentationData
from pipeline.evaluation import DEFAULT_TOLERANCE_MM, StructureScore
from pipeline.evaluation_cases import Pair, score_pair
from pipeline.evaluation_summary import format_table, summarise, write_scores, write_summary
from pipeline.inference.folder import FolderPrediction
from pipeline.inference.outputs import output_names
from pipeline.inference.predictor import PredictionSettings, SegmentationPredictor
from pipeline.model_folder import ModelDescription, load_model_folder, save_model_folder
from pipeline.overlays import overlay_png
from pipeline.tasks.segmentation import SegmentationTask

log = logging.getLogger(__name__)

# Best, middle and worst: three of each where there are as many cases.
_PICTURES_EACH = 3


@dataclass(frozen=True)
class FinalResult:
    """Scores of the validation cases.

    Args:
        cases: Number of cases scored.
        mean_dice: Mean over the structures of their mean Dice; 0 where nothing could be scored.
        dice: Mean Dice by structure.
        metrics: All means, by dotted name.
    """

    cases: int
    mean_dice: float
    dice: dict[str, float]
    metrics: dict[str, float]


def finish_segmentation(task: SegmentationTask, data: SegmentationData, trainer: Trainer, folder: Path) -> FinalResult:
    """Write model folder, predictions, scores and pictures of a finished training.

    Args:
        task: The trained task, its network holding the weights to keep.
        data: The data it was trained on.
        trainer: The trainer that was used.
        folder: The run's folder; `model/`, `validation/` and `pictures/` are made in it.
    """
    description = _describe(task, data, trainer)
    save_model_folder(folder / "model", task.network, description)
    rows = _score(data, trainer, folder)
    summary = summarise(rows, tolerance_mm=DEFAULT_TOLERANCE_MM)
    write_scores(rows, folder / "validation")
    write_summary(summary, folder / "validation")
    log.info("validation on whole cases from their files\n%s", format_table(summary))
    result = _result(summary)
    description.metrics.update(result.metrics)
    save_model_folder(
        folder / "model",
        task.network,
        description,
        data=f"{len(data.ready.split.train)} cases of {data.root.name}",
    )
    draw_cases(data, rows, folder)
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


def _score(data: SegmentationData, trainer: Trainer, folder: Path) -> list[StructureScore]:
    model = load_model_folder(folder / "model")
    predictor = SegmentationPredictor(model, trainer.strategy.root_device, PredictionSettings())
    output = folder / "validation" / "predictions"
    output.mkdir(parents=True, exist_ok=True)
    FolderPrediction(predictor, output).run(data.validation_cases)
    rows: list[StructureScore] = []
    for case in data.validation_cases:
        name = output_names(case, data.labels, predictor.settings).labels
        result, scores = score_pair(
            Pair(case.id, output / name, case.label), labels=data.labels, tolerance_mm=DEFAULT_TOLERANCE_MM
        )
        if result.status == "failed":
            raise RuntimeError(f"validation case {case.id}: {'; '.join(result.messages)}")
        rows += scores
    return rows


def _result(summary: dict[str, Any]) -> FinalResult:
    means = {name: scores["dice"]["mean"] for name, scores in summary["structures"].items() if scores["dice"]}
    # A monitor is never NaN: with nothing to score it is 0.
    total = summary["mean"]["dice"]["mean"] if summary["mean"]["dice"] else 0.0
    metrics = {"dice": total} | {f"dice/{name}": value for name, value in means.items()}
    metrics |= {key: value["mean"] for key, value in summary["mean"].items() if value is not None and key != "dice"}
    if summary["error_rate"]:
        metrics["error_rate"] = summary["error_rate"]["mean"]
    return FinalResult(summary["cases"]["scored"], total, means, metrics)


def choose_cases(rows: list[StructureScore]) -> dict[str, str]:
    """Return the rank ("best-1", "median-1", "worst-1", ...) of the cases that are drawn.

    Cases are ranked by their mean Dice; each is drawn once.
    """
    by_case: dict[str, list[float]] = {}
    for row in rows:
        by_case.setdefault(row.case, []).extend([] if row.dice is None else [row.dice])
    ranked = sorted(by_case, key=lambda case: np.mean(by_case[case] or [1.0]), reverse=True)
    chosen: dict[str, str] = {}
    middle = sorted(range(len(ranked)), key=lambda place: abs(place - (len(ranked) - 1) / 2))
    orders = {"best": range(len(ranked)), "worst": range(len(ranked) - 1, -1, -1), "median": middle}
    for turn in range(1, _PICTURES_EACH + 1):
        for name, order in orders.items():
            free = [ranked[place] for place in order if ranked[place] not in chosen]
            if free:
                chosen[free[0]] = f"{name}-{turn}"
    return chosen


def draw_cases(data: SegmentationData, rows: list[StructureScore], folder: Path) -> None:
    """Draw the best, the middle and the worst validation cases with their references."""
    chosen = choose_cases(rows)
    (folder / "pictures").mkdir(exist_ok=True)
    for case in data.validation_cases:
        if case.id in chosen:
            dice = [row.dice for row in rows if row.case == case.id and row.dice is not None]
            title = f"{case.id}: mean Dice {np.mean(dice):.3f}" if dice else case.id
            _draw(data, case, folder, f"{chosen[case.id]}_{case.id}", title)


def _draw(data: SegmentationData, case: Case, folder: Path, name: str, title: str) -> None:
    labels = data.labels
    image, truth = read_pair(case, labels, resample_labels=data.resample_labels)
    file = output_names(case, labels, PredictionSettings()).labels
    found = labels.encode(read_labels(folder / "validation" / "predictions" / file).array)

    def canonical(array: Any) -> Any:  # noqa: ANN401 -- any array in, an array out
        stacked = array if array.ndim == 4 else array[None]
        turned = to_canonical(Volume(stacked, image.affine, image.path)).array
        return turned if array.ndim == 4 else turned[0]

    overlay_png(
        canonical(image.array),
        canonical(found),
        folder / "pictures" / f"{name}.png",
        labels.names,
        canonical(truth),
        spacing_mm=to_canonical(image).spacing_mm,
        title=title,
    )
