"""Lightning's logger on the MLflow client: unshortened parameters, no lost metrics, a true status."""

import atexit
import json
import logging
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from pipeline.model_reference import parse_registered_name, register_model
from pipeline.tracking import store
from pipeline.tracking.delivery import deliver_leftovers, send_entries, upload
from pipeline.tracking.outbox import SPOOL, Entry, Outbox
from pipeline.tracking.parameters import PARAMS_FILE, flatten, shown, valid_key

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

LONGEST_HISTORY = 5000  # points per curve in memory; beyond it every other one is dropped


class MlflowLogger(Logger):
    """Track a training run in MLflow.

    The run is made at the first use, by the process of rank zero alone; on the others `version`
    and `save_dir` are None. A store that cannot be reached then raises; later outages only warn.

    Args:
        experiment: Name of the experiment that the run belongs to.
        run_name: Name of the run; MLflow invents one when it is None.
        tracking_uri: MLflow tracking URI, or the folder of an embedded store. Default:
            MLFLOW_TRACKING_URI, else `mlruns` in the current folder.
        tags: Further tags of the run.
        register_as: Make the run's model a version of this registered model: `name`, or `name@alias` to move the
            alias to the new version, so that `--model models:/name@alias` finds it. None registers nothing.

    Raises:
        ValueError: `register_as` is no name that MLflow takes.
    """

    def __init__(
        self,
        experiment: str = "segpose",
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tags: dict[str, str] | None = None,
        register_as: str | None = None,
    ) -> None:
        super().__init__()
        self._registered_name = None if register_as is None else parse_registered_name(register_as)
        self._experiment_name, self._run_name, self._tags = experiment, run_name, dict(tags or {})
        self._uri = store.resolve_uri(tracking_uri)
        self._client: MlflowClient | None = None
        self._outbox: Outbox | None = None
        self._run_id = ""
        self._run_folder = Path()
        self._remote = False
        self._status: str | None = None
        self._params: dict[str, str] = {}
        self._nested: dict[str, Any] = {}
        self._uploaded: dict[str, tuple[int, int]] = {}
        self.history: dict[str, list[tuple[int, float]]] = {}
        self.keep_open = False  # whether more follows after Lightning's own success

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self._experiment_name

    @property
    def tracking_uri(self) -> str:
        """URI of the store in use."""
        return self._uri

    @property
    def version(self) -> str | None:
        """Id of the run, on rank zero."""
        return self.run_id if is_rank_zero() else None

    @property
    def save_dir(self) -> str | None:
        """The run folder, on rank zero: Lightning hands it on to the other ranks."""
        return str(self.run_folder) if is_rank_zero() else None

    @property
    def root_dir(self) -> str | None:
        """The run folder, as `save_dir`."""
        return self.save_dir

    @property
    def log_dir(self) -> str | None:
        """The run folder, as `save_dir`."""
        return self.save_dir

    @property
    def run_id(self) -> str:
        """Id of the run."""
        self._start()
        return self._run_id

    @property
    def run_folder(self) -> Path:
        """Folder that training writes into.

        It is the run's artifact folder itself where that is on this machine, else a work folder whose
        content is uploaded by `finalize`.
        """
        self._start()
        return self._run_folder

    @property
    @rank_zero_experiment
    def experiment(self) -> "MlflowClient":
        """The client of the store."""
        self._start()
        return self._client

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: object, **kwargs: object) -> None:
        """Log parameters under dotted names; what is too long for MLflow stands in full in params.json."""
        nested = dict(vars(params)) if isinstance(params, Namespace) else dict(params)
        self._nested.update(nested)
        text = json.dumps(self._nested, indent=2, default=str, ensure_ascii=False)
        (self.run_folder / PARAMS_FILE).write_text(text + "\n", encoding="utf-8")
        entries: list[Entry] = []
        for key, value in flatten(nested).items():
            if key not in self._params:
                entries.append({"kind": "param", "key": key, "value": shown(value)})
                self._params[key] = value
            elif self._params[key] != value:
                # MLflow's parameters are written once; the file holds the newest value.
                log.warning(
                    "parameter %s was logged before with another value; %s holds the new one",
                    key,
                    PARAMS_FILE,
                )
        self._put(entries)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics at a step; returns at once, they are sent by a thread."""
        at, now_ms = int(step or 0), _now_ms()
        self._start()
        entries: list[Entry] = []
        for key, value in metrics.items():
            points = self.history.setdefault(key, [])
            points.append((at, float(value)))
            if len(points) > LONGEST_HISTORY:
                del points[1::2]
            entries.append(
                {
                    "kind": "metric",
                    "key": valid_key(key),
                    "value": float(value),
                    "time_ms": now_ms,
                    "step": at,
                }
            )
        self._put(entries)

    @rank_zero_only
    def flush(self, timeout_s: float = 15.0) -> bool:
        """Wait until what was logged has arrived and return whether it has."""
        return self._outbox is None or self._outbox.flush(timeout_s)

    @rank_zero_only
    def register(self) -> str | None:
        """Register the run's model folder as `register_as` says; call it once the folder is written.

        Returns:
            A reference for `--model`, such as `models:/liver@best`; None if nothing was asked for, or if the store
            refused or was away, which is logged and does not lose the training.
        """
        if self._registered_name is None:
            return None
        name, alias = self._registered_name
        if not (self.flush() and self._upload()):
            log.error("the model is not registered as '%s': not all of the run is in the tracking store yet", name)
            return None
        try:
            reference = register_model(self.run_id, name, alias=alias, tracking_uri=self._uri)
        except store.StoreError as error:
            log.error("the model is not registered as '%s': %s", name, error)
            return None
        log.info("the model is registered as %s", reference)
        return reference

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Send what is left, upload the work folder of a remote store, and set the run's status.

        Lightning calls it after every `fit` and `validate`. Call it again after writing more files. While `keep_open`
        is set, success sends what is left and leaves the run as it is.
        """
        if self._outbox is None:
            return
        if self.keep_open and _mlflow_status(status) == "FINISHED":
            self._outbox.flush()
            return
        self._status = _worse(self._status, _mlflow_status(status))
        complete = self._outbox.flush() and self._upload()
        self._put([{"kind": "status", "value": self._status, "time_ms": _now_ms()}])
        if not (self._outbox.flush(15.0 if complete else 1.0) and complete):
            log.warning(
                "run %s: not all of it reached the tracking store; %d entries wait in %s "
                "and are sent when the next run starts on this store",
                self._run_id,
                self._outbox.unsent,
                self._run_folder / SPOOL,
            )

    def _start(self) -> None:
        """Make the run, its folder and its outbox, once."""
        if self._outbox is not None:
            return
        if not is_rank_zero():
            raise RuntimeError("the run is made by rank zero; ask trainer.log_dir, which hands it on")
        client, experiment_id = store.open_experiment(self._experiment_name, self._uri)
        run = store.make_run(client, experiment_id, self._uri, name=self._run_name, tags=self._tags)
        self._client, self._run_id = client, str(run.info.run_id)
        folder = store.local_path(run.info.artifact_uri)
        self._remote = folder is None
        work = store.work_root(self._uri)
        self._run_folder = work / self._run_id if folder is None else folder
        self._run_folder.mkdir(parents=True, exist_ok=True)
        self._outbox = Outbox(
            lambda entries: send_entries(client, self._run_id, entries),
            self._run_folder / SPOOL,
            {"kind": "run", "run_id": self._run_id},
        )
        atexit.register(self._at_exit)
        log.info("run %s in the experiment '%s', files in %s", self._run_id, self.name, self._run_folder)
        deliver_leftovers(client, work)

    def _put(self, entries: list[Entry]) -> None:
        self._start()
        if self._outbox is not None and entries:
            self._outbox.put(entries)

    def _upload(self) -> bool:
        if not self._remote or self._client is None:
            return True
        try:
            upload(self._client, self._run_id, self._run_folder, self._uploaded)
        except Exception as error:  # the files stay where they are; a lost upload must not lose a training
            log.warning("%s: the files could not be uploaded: %s", self._run_folder, store.redact(str(error)))
            return False
        return True

    def _at_exit(self) -> None:
        if self._status is None:
            self.finalize("failed")
        else:
            self.flush()


def is_rank_zero() -> bool:
    """Tell whether this is the process that tracks: rank zero, or the only one."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _mlflow_status(status: str) -> str:
    """Translate Lightning's word, and what is being raised meanwhile, into MLflow's status."""
    if isinstance(sys.exc_info()[1], KeyboardInterrupt | SystemExit | SIGTERMException):
        return "KILLED"
    # Lightning says "finished" only when a scheduler stops the job to queue it again.
    words = {"success": "FINISHED", "failed": "FAILED", "finished": "KILLED", "killed": "KILLED"}
    if status not in words:
        raise ValueError(f"unknown status '{status}', expected one of {', '.join(words)}")
    return words[status]


def _worse(old: str | None, new: str) -> str:
    """Keep a failure: a `validate` that succeeds after a failed `fit` does not mend the run."""
    return new if old in (None, "FINISHED") else str(old)


def _now_ms() -> int:
    return int(time.time() * 1000)
