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
    format: list[Literal["nifti", "dicom-seg", "nrrd"]] | None = None,
    series: str | None = None,
    slice_spacing_mm: list[float] | None = None,
    sheared: Literal["refuse", "resample"] | None = None,
    overwrite: bool = False,
    tracking_uri: str | None = None,
) -> int:
    """Write a mask for each case of a folder, on the grid of its input, with report.json beside them.

    Started again, it goes on where it was stopped: finished cases are skipped as long as input, model and
    settings are the same.

    Args:
        model: A model folder, an MLflow run id, models:/name@alias, or "last" for the newest model.
        input: A volume (NIfTI, NRRD, MetaImage, TIFF stack, DICOM) or image, a folder that is one (a DICOM series,
            slices), or a folder of such, at any depth; the channels of a case are NAME_0000, NAME_0001, ...
        output: Folder for the masks, labels.json with their names, and report.json; made if it is absent. A DICOM
            series is called after the path to it below the input.
        device: auto, cpu, cuda or cuda:N.
        overlap: Share of a tile common with its neighbour, from 0 to below 1; more is slower and smoother.
        mirror: Average over copies mirrored as in training: slower by up to eight times, often slightly better.
        probabilities: Also write probabilities/NAME.nii.gz, one volume per class.
        overlays: Also write overlays/NAME.png, a picture of each mask on its image.
        strict: Refuse images unlike those of training instead of warning.
        precision: What the network computes in; auto is that of training where the device is made for it.
        volume: Which volume of 4-D files to take, from 0.
        format: What masks are written as, one format or several. Without it a case is written as it was read:
            NIfTI, NRRD, MetaImage or PNG as such, stacks and folders of slices as NIfTI, and a DICOM series as
            dicom-seg with nifti beside it.
        series: UID or number of the DICOM series to take where a folder holds several; all takes each of them as a
            case of its own.
        slice_spacing_mm: Spacing along X, Y and Z, in mm, of TIFF stacks and folders of slices, which store
            none, as 0.5 0.5 2.
        sheared: What to do with a volume whose axes are not at right angles, as of a tilted gantry: refuse it, or
            resample it onto such axes for the network, and its masks back; by default as the model was trained.
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
        pipeline predict --model last --input study --output masks --series all --format dicom-seg
    """
    from datamodules.inputs import find_inputs
    from pipeline.config.errors import UsageError
    from pipeline.config.spacing import stated_spacing
    from pipeline.inference.devices import pick_device
    from pipeline.inference.folder import FolderPrediction
    from pipeline.inference.folders import check_folders, summarise
    from pipeline.inference.predictor import PredictionSettings, SegmentationPredictor
    from pipeline.model_folder import load_model_folder, resolve_model

    check_folders([input], output)
    spacing_mm = stated_spacing(slice_spacing_mm)
    try:
        formats = tuple(format or ())
        settings = PredictionSettings(
            overlap, mirror, probabilities, overlays, strict, precision, volume, formats, sheared
        )
        chosen = pick_device(device)
        predictor = SegmentationPredictor(load_model_folder(resolve_model(model, tracking_uri)), chosen, settings)
    except ValueError as error:
        raise UsageError(str(error)) from error
    cases = find_inputs(input, predictor.channels, series=series, spacing_mm=spacing_mm)
    output.mkdir(parents=True, exist_ok=True)
    _announce(predictor.model.folder, len(cases), str(chosen), predictor.precision)
    report = FolderPrediction(predictor, output, overwrite=overwrite).run(cases)
    summarise(report, ("masks", output), output)
    return report.exit_code


def _announce(model: Path, cases: int, device: str, precision: str) -> None:
    log.info("%d cases, model %s on %s in %s", cases, model, device, precision)
