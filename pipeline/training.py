"""A training run from the first record in MLflow to the model folder and the summary."""

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from datamodules.segmentation import SegmentationData
from networks.base import Network
from pipeline.config.errors import UsageError
from pipeline.ema import WeightEMA
from pipeline.final_validation import FinalResult, finish_segmentation
from pipeline.health.monitor import HealthMonitor
from pipeline.pacing import ValidationPacing
from pipeline.progress import TrainingProgress, clock
from pipeline.tasks.segmentation import SegmentationTask
from pipeline.tracking.environment import describe_environment
from pipeline.tracking.logger import MlflowLogger
from pipeline.tracking.pictures import loss_curve_png
from pipeline.tracking.store import open_command, redact

log = logging.getLogger(__name__)

_DRAWN = ("train/loss", "validation/")


def _logger_of(trainer: Trainer) -> MlflowLogger:
    for logger in trainer.loggers:
        if isinstance(logger, MlflowLogger):
            return logger
    raise UsageError("trainer.logger: expected an MlflowLogger, which holds the run's folder; leave the key out")


def _summary(result: FinalResult, logger: MlflowLogger, registered: str | None, seconds: float) -> str:
    folder = logger.run_folder
    scores = ", ".join(f"{name} {value:.3f}" for name, value in result.dice.items())
    return "\n".join(
        [
            f"Done in {clock(seconds)}. Mean validation Dice {result.mean_dice:.4f} over {result.cases} cases",
            f"  by structure  {scores}",
            f"  run           {logger.run_id}",
            f"  model folder  {folder / 'model'}",
            *([f"  registered    {registered}"] if registered else []),
            f"  pictures      {folder / 'pictures'}",
            f"  scores        {folder / 'validation' / 'scores.csv'}",
            f"  open in MLflow with:  {open_command(logger.tracking_uri)}",
        ]
    )


def run_training(
    task: SegmentationTask,
    datamodule: SegmentationData,
    trainer: Trainer,
    *,
    config_yaml: str,
    parameters: dict[str, object],
    seed: int,
) -> int:
    """Train, validate on whole cases from their files, and keep everything in the run's folder.

    Args:
        task: What to optimise.
        datamodule: The cases.
        trainer: Devices, precision and length of training.
        config_yaml: The resolved config, kept with the run.
        parameters: The same, flat, for MLflow.
        seed: Seed of patches and augmentation.

    Returns:
        The exit code.

    Raises:
        TrainingError: The loss is no finite number.
    """
    begun = time.monotonic()
    datamodule.seed = seed
    logger = _logger_of(trainer)
    logger.keep_open = True  # the run is not finished before its model folder and scores are there
    check_network(task, datamodule.patch_size)
    try:
        if trainer.is_global_zero:
            _record_start(logger, datamodule, config_yaml, parameters)
            _place_checkpoints(trainer, logger.run_folder)
        _add_callbacks(trainer, task)
        trainer.fit(task, datamodule=datamodule)
        if trainer.is_global_zero:
            log.info(_finish(task, datamodule, trainer, logger, begun))
    except BaseException:
        logger.finalize("failed")
        raise
    return 0


def _record_start(
    logger: MlflowLogger, data: SegmentationData, config_yaml: str, parameters: dict[str, object]
) -> None:
    """Record what is known before the first step; what is wrong with the data is said here."""
    # A tracking URI may hold a password.
    logger.log_hyperparams({key: redact(v) if isinstance(v, str) else v for key, v in parameters.items()})
    folder = logger.run_folder
    (folder / "config.yaml").write_text(redact(config_yaml))
    (folder / "environment.json").write_text(json.dumps(describe_environment(), indent=2) + "\n")
    data.prepare_data()
    logger.log_hyperparams({"data.digest": data.digest})
    (folder / "split.json").write_text(json.dumps(data.ready.split.to_dict(), indent=2) + "\n")


def _add_callbacks(trainer: Trainer, task: SegmentationTask) -> None:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    if not any(isinstance(callback, HealthMonitor) for callback in callbacks):
        callbacks.insert(0, HealthMonitor())
    if task.ema_decay > 0:
        callbacks.insert(0, WeightEMA(task.ema_decay))
    callbacks[:0] = [ValidationPacing(), TrainingProgress()]


def check_network(task: SegmentationTask, patch_size: Sequence[int]) -> None:
    """Refuse a network that cannot be made or does not fit the patch, before any data is read.

    Raises:
        UsageError: Names the keys at fault.
    """
    try:
        with torch.device("meta"):  # sizes alone: no memory, and no random numbers
            network = task.make_network(1, 2)
    except ValueError as error:
        raise UsageError(f"model.network: {error}") from error
    if not isinstance(network, Network):
        raise UsageError(f"model.network: expected a network of this application, found {type(network).__name__}")
    if network.answers != "voxels":
        raise UsageError(
            f"model.network: expected one that labels voxels, such as UNet, found one of {network.answers}"
        )
    if encoder := network.init_args.get("encoder"):
        log.info(
            "encoder %s brings its own levels: strides, kernel_sizes and downsampling of the config are not used, "
            "channels and units are the decoder's",
            encoder,
        )
    if network.spatial_dims != len(patch_size):
        raise UsageError(
            f"data.patch_size: expected {network.spatial_dims} numbers as model.network has that many spatial_dims, "
            f"found {list(patch_size)}"
        )
    _warn_of_one_voxel(network, patch_size)
    supervised, stride = network.init_args.get("deep_supervision"), getattr(network, "total_stride", None)
    if supervised and stride and any(size % step for size, step in zip(patch_size, stride, strict=True)):
        # Labels are reduced by whole steps for the coarser heads.
        raise UsageError(f"data.patch_size: expected multiples of {list(stride)}, found {list(patch_size)}")


def _warn_of_one_voxel(network: Network, patch_size: Sequence[int]) -> None:
    """Say it when a norm over space would leave nothing of a patch's coarsest features."""
    stride = getattr(network, "total_stride", None)
    if stride is None or network.init_args.get("norm") != "instance":
        return
    if all(size <= step for size, step in zip(patch_size, stride, strict=True)):
        log.warning(
            "data.patch_size: %s leaves a single voxel at the network's coarsest level, which instance norm makes a "
            "constant; take more than %s along an axis, fewer levels or model.network.norm group",
            list(patch_size),
            list(stride),
        )


def _place_checkpoints(trainer: Trainer, folder: Path) -> None:
    """Keep checkpoints with the run; Lightning hands the first rank's folder on to the others."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            callback.dirpath = str(folder / "checkpoints")


def _finish(
    task: SegmentationTask, data: SegmentationData, trainer: Trainer, logger: MlflowLogger, begun: float
) -> str:
    """Validate from files, complete the record, and return the summary."""
    folder = logger.run_folder
    result = finish_segmentation(task, data, trainer, folder)
    logger.log_metrics({f"final/{key}": value for key, value in result.metrics.items()}, trainer.global_step)
    curves = {key: curve for key, curve in logger.history.items() if key.startswith(_DRAWN)}
    loss_curve_png(curves, folder / "pictures" / "curves.png")
    registered = logger.register()
    logger.keep_open = False
    logger.finalize("success")
    return _summary(result, logger, registered, time.monotonic() - begun)
