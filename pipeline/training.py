"""A training run from the first record in MLflow to the model folder and the summary."""

import json
import logging
import time
from pathlib import Path

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from datamodules.base import DataModule
from pipeline.config.errors import UsageError
from pipeline.ema import WeightEMA
from pipeline.finished import Finished
from pipeline.health.monitor import HealthMonitor
from pipeline.pacing import ValidationPacing
from pipeline.progress import TrainingProgress, clock
from pipeline.tasks.base import Task
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


def _summary(result: Finished, logger: MlflowLogger, registered: str | None, seconds: float) -> str:
    folder = logger.run_folder
    lines = [
        *result.lines,
        ("run", logger.run_id),
        ("model folder", str(folder / "model")),
        *([("registered", registered)] if registered else []),
        ("pictures", str(folder / "pictures")),
        ("scores", str(folder / "validation" / "scores.csv")),
    ]
    return "\n".join(
        [
            f"Done in {clock(seconds)}. {result.headline}",
            *(f"  {name:13} {text}" for name, text in lines),
            f"  open in MLflow with:  {open_command(logger.tracking_uri)}",
        ]
    )


def run_training(
    task: Task,
    datamodule: DataModule,
    trainer: Trainer,
    *,
    config_yaml: str,
    parameters: dict[str, object],
    seed: int,
) -> int:
    """Train, validate from files, and keep everything in the run's folder.

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
        UsageError: Task, data and network do not fit each other.
    """
    begun = time.monotonic()
    datamodule.seed = seed
    logger = _logger_of(trainer)
    logger.keep_open = True  # the run is not finished before its model folder and scores are there
    _check_pair(task, datamodule)
    try:
        if trainer.is_global_zero:
            _record_start(logger, datamodule, config_yaml, parameters)
            _place_checkpoints(trainer, logger.run_folder)
        _add_callbacks(trainer, task)
        trainer.fit(task, datamodule=datamodule)
        if trainer.is_global_zero:
            log.info(_finish(task, trainer, logger, begun))
    except BaseException:
        logger.finalize("failed")
        raise
    return 0


def _check_pair(task: Task, data: DataModule) -> None:
    if not isinstance(data, task.data_class):
        raise UsageError(
            f"data: expected {task.data_class.__name__}, as model is {type(task).__name__}, found {type(data).__name__}"
        )
    task.check(data)


def _record_start(logger: MlflowLogger, data: DataModule, config_yaml: str, parameters: dict[str, object]) -> None:
    """Record what is known before the first step; what is wrong with the data is said here."""
    # A tracking URI may hold a password.
    logger.log_hyperparams({key: redact(v) if isinstance(v, str) else v for key, v in parameters.items()})
    folder = logger.run_folder
    (folder / "config.yaml").write_text(redact(config_yaml))
    (folder / "environment.json").write_text(json.dumps(describe_environment(), indent=2) + "\n")
    data.prepare_data()
    logger.log_hyperparams({"data.digest": data.digest})
    (folder / "split.json").write_text(json.dumps(data.split.to_dict(), indent=2) + "\n")


def _add_callbacks(trainer: Trainer, task: Task) -> None:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    if not any(isinstance(callback, HealthMonitor) for callback in callbacks):
        callbacks.insert(0, HealthMonitor())
    if task.ema_decay > 0:
        callbacks.insert(0, WeightEMA(task.ema_decay))
    callbacks[:0] = [ValidationPacing(), TrainingProgress()]


def _place_checkpoints(trainer: Trainer, folder: Path) -> None:
    """Keep checkpoints with the run; Lightning hands the first rank's folder on to the others."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            callback.dirpath = str(folder / "checkpoints")


def _finish(task: Task, trainer: Trainer, logger: MlflowLogger, begun: float) -> str:
    """Validate from files, complete the record, and return the summary."""
    folder = logger.run_folder
    result = task.finish(trainer, folder)
    logger.log_metrics({f"final/{key}": value for key, value in result.metrics.items()}, trainer.global_step)
    curves = {key: curve for key, curve in logger.history.items() if key.startswith(_DRAWN)}
    loss_curve_png(curves, folder / "pictures" / "curves.png")
    registered = logger.register()
    logger.keep_open = False
    logger.finalize("success")
    return _summary(result, logger, registered, time.monotonic() - begun)
