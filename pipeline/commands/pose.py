"""Find joints on every frame of videos with a trained model."""

import logging
from pathlib import Path
from typing import Literal

log = logging.getLogger(__name__)


def pose(
    model: str,
    input: list[Path],
    output: Path,
    device: str = "auto",
    region: str = "frame",
    smooth: Literal["none", "median", "one-euro"] = "none",
    fill_gap: int = 0,
    min_confidence: float = 0.3,
    overlay: bool = False,
    heatmaps: bool = False,
    flip_test: bool | None = None,
    batch_size: int | None = None,
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    strict: bool = False,
    overwrite: bool = False,
    tracking_uri: str | None = None,
) -> int:
    """Write a table of joints for each video, one row per frame and joint, with report.json beside the folders.

    Each video gets a folder of its name: pose.parquet and pose.csv (frame, time_s, joint, x, y, confidence, status),
    pose_deeplabcut.h5 and .csv, and pose_coco.json. Every decoded frame has its rows, and an unreadable one has empty
    rows. Status is ok, low (confidence below the least), outside (of the frame), filled, unreadable, or no region.
    Started again, it goes on where it was stopped, within a video too, as long as input, model and settings are the
    same.

    Args:
        model: A model folder, an MLflow run id, models:/name@alias, or "last" for the newest model.
        input: Videos, folders of videos, and folders of images that are the frames of one video each.
        output: Folder for the results, made if it is absent.
        device: auto, cpu, cuda or cuda:N.
        region: Where the subject is - frame (all of it), X,Y,W,H (a box in pixels), a .csv or .json file with frame, x,
            y, width, height (a frame without a box keeps the last one), or follow (the joints of the frame before;
            slower, as frames cannot be computed in batches).
        smooth: Smooth joints over time, median over five frames or one-euro filter.
        fill_gap: Lay joints of low confidence on a line over gaps of up to so many frames, marked as filled.
        min_confidence: Below, a joint is marked as low, and neither smoothing, filling nor follow uses it.
        overlay: Also write pose_overlay.mp4, the video with the table's joints drawn in.
        heatmaps: Also write pose_heatmaps.h5; a video that was interrupted begins anew.
        flip_test: Average with the mirrored image's answer, true or false; half as fast. As in training if not given.
        batch_size: Frames at once; what suits the device if not given.
        precision: What the network computes in; auto is that of training where the device is made for it.
        strict: Refuse videos unlike the images of training instead of warning.
        overwrite: Compute finished videos again, and replace files that this command did not write.
        tracking_uri: MLflow store in which the model is looked up.

    Returns:
        The exit code: 0 all done, 1 all failed, 3 some failed, or over 1 % of a video's frames are bad.

    Raises:
        UsageError: If the options cannot be; nothing was done.
        DataError: If the input has no videos, or the model folder cannot be used.

    Examples:
        pipeline pose --model last --input video.mp4 --output joints --overlay
        pipeline pose --model last --input monday tuesday/cage.avi --output joints --smooth median --fill-gap 5
        pipeline pose --model last --input video.mp4 --output joints --region 100,40,320,240
    """
    from pipeline.config.errors import UsageError
    from pipeline.inference.devices import pick_device
    from pipeline.inference.folders import check_folders, summarise
    from pipeline.inference.pose_finishing import Smoothing
    from pipeline.inference.pose_inputs import find_videos
    from pipeline.inference.pose_predictor import PosePredictor, PoseSettings
    from pipeline.inference.pose_run import RESERVED, PoseRun
    from pipeline.inference.pose_video import PoseOptions
    from pipeline.inference.region_choice import RegionChoice
    from pipeline.model_folder import load_model_folder, resolve_model

    check_folders(input, output)
    try:
        chosen, settings = pick_device(device), PoseSettings(flip_test, precision, batch_size)
        smoothing, regions = Smoothing(smooth, fill_gap, min_confidence), RegionChoice.parse(region)
        predictor = PosePredictor(load_model_folder(resolve_model(model, tracking_uri)), chosen, settings)
    except ValueError as error:
        raise UsageError(str(error)) from error
    videos = find_videos(input, RESERVED)
    for video in videos:
        if (output / video.id).resolve() == video.path.resolve():
            raise UsageError(f"--output {output}: results would go into the input {video.path}; name another folder")
    regions.check([video.id for video in videos])
    output.mkdir(parents=True, exist_ok=True)
    log.info("%d videos, model %s on %s in %s", len(videos), predictor.model.folder, chosen, predictor.precision)
    options = PoseOptions(regions, smoothing, overlay, heatmaps, strict, overwrite)
    report = PoseRun(predictor, output, options).run(videos)
    summarise(report, ("tables", output / "*" / "pose.csv"), output)
    return report.exit_code
