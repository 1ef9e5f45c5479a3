"""Predict masks for a folder of cases with a trained model."""

import logging
from pathlib import Path
from typing import Literal

log = logging.getLogger(__name__)


def predict(
    model: str,
    input: Path,
    output: Path,
    device: str = "auto",
    overlap: float = 0.5,
    mirror: bool = False,
    probabilities: bool = False,
    overlays: bool = False,
    strict: bool = False,
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    volume: int | None = None,
    overwrite: bool = False,
    tracking_uri: str | None = None,
) -> int:
    """Write a mask for each case of a folder, on the grid of its input, with report.json beside them.

    Started again, it goes on where it was stopped: finished cases are skipped as long as input, model and
    settings are the same.

    Args:
        model: A model folder, an MLflow run id, models:/name@alias, or "last" for the newest model.
        input: A volume or image, or a folder of them; the channels of a case are NAME_0000, NAME_0001, ...
        output: Folder for the masks, labels.json with their names, and report.json; made if it is absent.
        device: auto, cpu, cuda or cuda:N.
        overlap: Share of a tile common with its neighbour, from 0 to below 1; more is slower and smoother.
        mirror: Average over copies mirrored as in training: slower by up to eight times, often slightly better.
        probabilities: Also write probabilities/NAME.nii.gz, one volume per class.
        overlays: Also write overlays/NAME.png, a picture of each mask on its image.
        strict: Refuse images unlike those of training instead of warning.
        precision: What the network computes in; auto is that of training where the device is made for it.
        volume: Which volume of 4-D files to take, from 0.
        overwrite: Compute finished cases again, and replace masks that this command did not write.
        tracking_uri: MLflow store in which the model is looked up.

    Returns:
        The exit code: 0 all done, 1 all failed, 3 some failed and the rest is done.

    Raises:
        UsageError: If the options cannot be; nothing was done.
        DataError: If the input has no cases, or the model folder cannot be used.

    Examples:
        pipeline predict --model last --input imagesTs --output masks
        pipeline predict --model last --input scan.nii.gz --output masks --overlays
    """
    from datamodules.inputs import find_inputs
    from pipeline.config.errors import UsageError
    from pipeline.inference.devices import pick_device
    from pipeline.inference.folder import FolderPrediction
    from pipeline.inference.folders import check_folders, summarise
    from pipeline.inference.predictor import PredictionSettings, SegmentationPredictor
    from pipeline.model_folder import load_model_folder, resolve_model

    check_folders([input], output)
    try:
        settings = PredictionSettings(overlap, mirror, probabilities, overlays, strict, precision, volume)
        chosen = pick_device(device)
        predictor = SegmentationPredictor(load_model_folder(resolve_model(model, tracking_uri)), chosen, settings)
    except ValueError as error:
        raise UsageError(str(error)) from error
    cases = find_inputs(input, predictor.channels)
    output.mkdir(parents=True, exist_ok=True)
    _announce(predictor.model.folder, len(cases), str(chosen), predictor.precision)
    report = FolderPrediction(predictor, output, overwrite=overwrite).run(cases)
    summarise(report, ("masks", output), output)
    return report.exit_code


def _announce(model: Path, cases: int, device: str, precision: str) -> None:
    log.info("%d cases, model %s on %s in %s", cases, model, device, precision)
