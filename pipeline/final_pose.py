"""The last word on a pose training: its model folder, run on the validation subjects' files as `pose` would."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning import Trainer

from datamodules.keypoints import Skeleton
from datamodules.pose import PoseData, flip_if_safe
from pipeline.finished import Finished
from pipeline.inference.pose_predictor import PosePredictor
from pipeline.metrics.keypoint_norm import RIGHT_WITHIN, KeypointNorm, choose_norm
from pipeline.metrics.keypoints import PoseSummary, summarise_poses
from pipeline.model_folder import ModelDescription, load_model_folder, save_model_folder
from pipeline.pose_calibrating import CalibratedPose, calibrate
from pipeline.pose_gallery import draw_gallery
from pipeline.pose_scores import FoundPose, write_tables
from pipeline.pose_validation import predict_subjects
from pipeline.tasks.pose import PoseTask

log = logging.getLogger(__name__)

_MOST_SHIFTED = 1000  # subjects whose shifted cuts are predicted: enough for a calibration
_CALIBRATION = ("ece", "brier", "confidence_in_view", "confidence_out_of_view")


def finish_pose(task: PoseTask, data: PoseData, trainer: Trainer, folder: Path) -> Finished:
    """Write model folder, predictions, scores, calibration and pictures of a finished training.

    Args:
        task: The trained task, its network holding the weights to keep.
        data: The data it was trained on.
        trainer: The trainer that was used.
        folder: The run's folder; `model/`, `validation/` and `pictures/` are made in it.

    Raises:
        DataError: If the image of a validation subject does not decode.
    """
    description = _describe(task, data, trainer)
    save_model_folder(folder / "model", task.network, description)
    predictor = PosePredictor(load_model_folder(folder / "model"), trainer.strategy.root_device)
    samples = data.validation_samples
    norm, words = choose_norm(task.norm, task.norm_joints, data.skeleton, list(data.samples.values()))
    whole = predict_subjects(predictor, samples, norm)
    step = -(-len(samples) // _MOST_SHIFTED)
    shifted = predict_subjects(predictor, samples[::step], norm, "shifted")
    calibrated = calibrate(whole, shifted, norm, data.input_size, task.calibration)
    found = [_with_confidence(pose, calibrated) for pose in whole]

    summary = summarise_poses([pose.scored() for pose in found], data.skeleton, norm=norm)
    visible = _visible_alone(found, summary, data.skeleton, norm)
    log.info("validation from files\n%s%s", summary.table(), _visible_line(visible, norm))
    about = {"norm": words, "visible_alone": visible, "calibration": calibrated.report}
    write_tables(found, data.skeleton, summary, about, data.root, folder / "validation")
    description.inference["calibration"] = calibrated.calibration.to_dict()
    description.metrics.update(_kept(summary, calibrated))
    origin = f"{len(data.split.train)} subjects of {data.root.name}, format {data.listing.format}"
    save_model_folder(folder / "model", task.network, description, data=origin)
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    draw_gallery(predictor, found, data.skeleton, norm.kind, pictures)
    calibrated.draw(pictures / "reliability.png")
    return _finished(found, summary, calibrated, norm.kind)


def _describe(task: PoseTask, data: PoseData, trainer: Trainer) -> ModelDescription:
    width, height = data.input_size
    flip_test = task.flip_test and _saw_mirror_images(data)
    if task.flip_test and not flip_test:
        log.info("no flip test, here and in `pipeline pose`: training saw no mirror images")
    return ModelDescription(
        task="pose",
        network={},
        preprocessing=data.preprocessing.to_dict(),
        labels=data.skeleton.to_dict(),
        patch_size=[height, width],
        inference={
            "codec": task.codec.to_dict(),
            "flip_test": flip_test,
            "precision": str(trainer.precision),
        },
        versions={},
        data_digest=data.digest,
        metrics={},
        training_range=data.training_range,
    )


def _saw_mirror_images(data: PoseData) -> bool:
    """Tell whether training mirrored images: a network that saw none answers a mirror image with the wrong side."""
    augmentation = flip_if_safe(data.augmentation, data.skeleton)
    return augmentation is not None and augmentation.flip_p > 0


def _with_confidence(pose: FoundPose, calibrated: CalibratedPose) -> FoundPose:
    confidence = calibrated.calibration.apply(pose.score)
    return dataclasses.replace(pose, confidence=np.asarray(confidence, np.float64))


def _visible_alone(
    found: Sequence[FoundPose], summary: PoseSummary, skeleton: Skeleton, norm: KeypointNorm
) -> dict[str, float | None] | None:
    """Return the scores over visible joints, None where no joint is occluded and they would be the same."""
    if not summary.counts["points_occluded"]:
        return None
    visible = summarise_poses([pose.scored() for pose in found], skeleton, norm=norm, visible_only=True)
    return {"points": visible.counts["points"], **visible.overall}


def _visible_line(visible: dict[str, float | None] | None, norm: KeypointNorm) -> str:
    if visible is None:
        return ""
    key = f"pck@{RIGHT_WITHIN[norm.kind]:g}"
    share, rmse = _text(visible[key], 3), _text(visible["rmse_px"], 2)
    return f"\nVisible joints alone: {key} {share}, rmse_px {rmse} over {visible['points']} points."


def _kept(summary: PoseSummary, calibrated: CalibratedPose) -> dict[str, Any]:
    """Return the scores that model.json holds: all together, and each joint's."""
    overall = {key: value for key, value in summary.overall.items() if value is not None}
    joints = {name: dict(row) for name, row in zip(summary.names, summary.rows, strict=True)}
    return {**overall, **_calibration_metrics(calibrated), "joints": joints}


def _calibration_metrics(calibrated: CalibratedPose) -> dict[str, float]:
    return {key: calibrated.report[key] for key in _CALIBRATION if calibrated.report.get(key) is not None}


def _finished(found: Sequence[FoundPose], summary: PoseSummary, calibrated: CalibratedPose, kind: str) -> Finished:
    within = RIGHT_WITHIN[kind]
    name, key = ("PCKh" if kind == "head" else "PCK"), f"pck@{within:g}"
    overall = summary.overall
    headline = (
        f"Validation {name}@{within:g} {_text(overall[key], 3)} ({kind}), RMSE {_text(overall['rmse_px'], 2)} px, "
        f"mean error {_text(overall['epe_px'], 2)} px over {len(found)} subjects"
    )
    by_joint = ", ".join(
        f"{joint} {_text(row[key], 2)}" for joint, row in zip(summary.names, summary.rows, strict=True)
    )
    report = calibrated.report
    confidence = (
        f"calibration error {_text(report['ece'], 3)}; on average {_text(report['confidence_in_view'], 2)} in view, "
        f"{_text(report['confidence_out_of_view'], 2)} out of view"
    )
    return Finished(
        headline,
        [("by joint", by_joint), ("confidence", confidence)],
        summary.metrics | _calibration_metrics(calibrated),
    )


def _text(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"
