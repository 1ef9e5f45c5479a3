"""Where runs are tracked: the embedded MLflow store or a server, and how to open it."""

import logging
import os
import re
import shlex
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from pipeline.tracking.redaction import redact as redact

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

SQLITE = "sqlite:///"
DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"
WORK = "work"
LOCK = ".lock"


class StoreError(RuntimeError):
    """The tracking store cannot be opened or does not hold what was asked for."""


def default_root() -> Path:
    """Return the embedded store's folder: `mlruns` in the folder that the command is run from."""
    return Path.cwd() / "mlruns"


def embedded_uri(root: Path) -> str:
    """Return the tracking URI of the embedded store in a folder.

    Raises:
        StoreError: The path holds `?`, `#` or `%`, which a database URI cannot carry.
    """
    path = (root.expanduser() / DATABASE).absolute()
    if found := sorted(set("?#%") & set(str(path))):
        raise StoreError(f"{path}: a store's path may not hold {' '.join(found)}; choose another folder")
    return f"{SQLITE}{path.as_posix()}"


def resolve_uri(tracking_uri: str | None = None) -> str:
    """Return the tracking URI in force: the argument, else MLFLOW_TRACKING_URI, else the embedded store.

    A path without a scheme names the folder of an embedded store.
    """
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or str(default_root())
    if uri.startswith(SQLITE) and uri != SQLITE:
        # MLflow's page is started from any folder, so the path has to be absolute.
        return SQLITE + Path(uri.removeprefix(SQLITE)).absolute().as_posix()
    if "://" in uri or uri.startswith("databricks"):
        return uri
    return embedded_uri(Path(uri.removeprefix("file:")))


def embedded_root(tracking_uri: str) -> Path | None:
    """Return the folder that an embedded store lies in, or None for a server."""
    if not tracking_uri.startswith(SQLITE):
        return None
    return Path(tracking_uri.removeprefix(SQLITE)).parent


def work_root(tracking_uri: str) -> Path:
    """Return the folder where runs of a store with remote artifacts write until they are uploaded."""
    return (embedded_root(tracking_uri) or default_root()) / WORK


def local_path(uri: str) -> Path | None:
    """Return the path that an artifact URI stands for, or None when it is not on this machine."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(uri) if not parts.scheme else None


def open_client(tracking_uri: str | None = None) -> "MlflowClient":
    """Open a store, creating the embedded database where there is none.

    Two processes may do so at once: the tables are created under a file lock, as MLflow's tracking store
    takes none and its migrations fail when they meet.

    Raises:
        StoreError: The store cannot be opened.
    """
    uri = resolve_uri(tracking_uri)
    _prepare_mlflow()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        with _creation_lock(embedded_root(uri)):
            return MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (MlflowException, OSError) as error:
        raise StoreError(redact(f"{uri}: the tracking store cannot be opened: {error}")) from error


def open_experiment(name: str, tracking_uri: str | None = None) -> tuple["MlflowClient", str]:
    """Open a store and return its client and the id of the named experiment, made where there is none.

    Raises:
        StoreError: The store cannot be reached, or the experiment lies in its bin.
    """
    uri = resolve_uri(tracking_uri)
    client = open_client(uri)
    from mlflow.exceptions import MlflowException

    try:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            return client, _create_experiment(client, name, uri)
    except MlflowException as error:
        raise no_answer(uri, error) from error
    if experiment.lifecycle_stage != "active":
        raise StoreError(f"{redact(uri)}: the experiment '{name}' is deleted; restore it or use another name")
    return client, str(experiment.experiment_id)


def make_run(client: "MlflowClient", experiment_id: str, uri: str, *, name: str | None, tags: dict[str, str]) -> "Run":
    """Make a run in an experiment of the store that a client was opened for.

    Raises:
        StoreError: The store does not make it.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.create_run(experiment_id, run_name=name, tags=tags)
    except MlflowException as error:
        raise no_answer(uri, error) from error


def open_command(tracking_uri: str | None = None) -> str:
    """Return the one shell command that opens a store in MLflow's page.

    A password never stands in it: the command names MLFLOW_TRACKING_URI where that holds the URI; else the database
    asks its own sources for the password, such as PGPASSWORD.
    """
    uri = resolve_uri(tracking_uri)
    public = redact(uri)
    if uri.startswith(("http://", "https://")):
        return shlex.join([Path(sys.executable).name, "-m", "webbrowser", public])
    hidden = public != uri and os.environ.get("MLFLOW_TRACKING_URI") == uri
    shown = '"$MLFLOW_TRACKING_URI"' if hidden else shlex.quote(public)
    found = shutil.which("mlflow")
    # The short form only where the shell would find the MLflow of this very environment.
    same = found is not None and Path(found).parent == Path(sys.executable).parent
    start = ["mlflow"] if same else [sys.executable, "-m", "mlflow"]
    return f"{shlex.join([*start, 'ui'])} --backend-store-uri {shown} --port 5000"


def no_answer(uri: str, error: Exception) -> StoreError:
    """Return the error that says that a store cannot be asked, and what to do."""
    return StoreError(
        redact(f"{uri}: the tracking store does not answer: {error}. Start the server, or choose ")
        + "another store with MLFLOW_TRACKING_URI or the logger's tracking_uri"
    )


def _creation_lock(root: Path | None) -> AbstractContextManager[object]:
    if root is None:
        return nullcontext()
    root.mkdir(parents=True, exist_ok=True)
    # The system frees the lock of a killed process; the time-out only guards against one that hangs.
    return FileLock(root / LOCK, timeout=120)


def _create_experiment(client: "MlflowClient", name: str, uri: str) -> str:
    from mlflow.exceptions import MlflowException

    root = embedded_root(uri)
    folder = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "experiment"
    location = None if root is None else (root / ARTIFACTS / folder).as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:
        # Another process may have made it between the question and the creation.
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise
        return str(experiment.experiment_id)


def _prepare_mlflow() -> None:
    """Switch MLflow's telemetry off and its database chatter down; call before `import mlflow`."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    # The outbox keeps and retries by itself; MLflow's own seven retries would hold a thread for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    # What these report as errors and warnings is raised as well, and reported once by the outbox.
    quiet = {"mlflow.store.db.utils": logging.CRITICAL, "urllib3.connectionpool": logging.ERROR}
    for name, level in {"alembic": logging.WARNING, **quiet}.items():
        logging.getLogger(name).setLevel(level)
