"""What `--model` may name: a model folder, a run, a registered model, or the newest one."""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

DESCRIPTION = "model.json"
MODEL = "model"  # the model folder within a run's artifacts
FORMS = "a model folder, an MLflow run id, models:/name@alias, models:/name/version, or last"


def resolve_model(reference: str, tracking_uri: str | None = None) -> Path:
    """Return the local model folder that a reference stands for.

    Args:
        reference: A model folder (or a folder that holds `model`), an MLflow run id, `models:/name@alias`,
            `models:/name/version`, or `last`: the newest run with a model folder in the store.
        tracking_uri: The store; default as for training.

    Returns:
        A folder on this machine; models of a remote store are brought into the user's cache first.

    Raises:
        StoreError: Nothing of that name is found.
    """
    folder = Path(reference).expanduser()
    for candidate in (folder, folder / MODEL):
        if (candidate / DESCRIPTION).is_file():
            return candidate
    uri = store.resolve_uri(tracking_uri)
    if reference == "last":
        return _last(uri)
    if reference.startswith("models:/"):
        return _registered(reference, uri)
    if re.fullmatch(r"[0-9a-f]{32}", reference):
        return _of_run(reference, uri)
    if folder.is_dir():
        raise store.StoreError(f"{folder}: expected a model folder with {DESCRIPTION}, found none")
    raise store.StoreError(store.redact(f"'{reference}' names no model: expected {FORMS}"))


def parse_registered_name(text: str) -> tuple[str, str | None]:
    """Return name and alias of `name` or `name@alias`.

    Raises:
        ValueError: It is neither, or the alias is one that MLflow keeps for itself.
    """
    match = re.fullmatch(r"([^/:@\s][^/:@]*)(?:@([\w-]+))?", text)
    if match is None or re.fullmatch(r"latest|v\d+|\d+", match[2] or ""):
        raise ValueError(
            f"register_as: expected name or name@alias, without / and : and with an alias that is no version "
            f"(such as latest, v1 or 1), found '{text}'"
        )
    return match[1], match[2]


def register_model(run_id: str, name: str, *, alias: str | None = None, tracking_uri: str | None = None) -> str:
    """Make a run's model folder a version of a registered model.

    Args:
        run_id: The run.
        name: The registered model, made where there is none.
        alias: Alias to be put on the new version.
        tracking_uri: The store; default as for training.

    Returns:
        A reference that `resolve_model` takes, such as `models:/liver@best`.

    Raises:
        StoreError: The run holds no model, or the store refuses.
    """
    uri = store.resolve_uri(tracking_uri)
    client = store.open_client(uri)
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
        if not _holds_model(client, run):
            raise store.StoreError(f"run {run_id}: expected a model folder to register, found none")
        _make_registered(client, name)
        version = client.create_model_version(name, f"{run.info.artifact_uri}/{MODEL}", run_id).version
        if alias is None:
            return f"models:/{name}/{version}"
        client.set_registered_model_alias(name, alias, version)
    except MlflowException as error:
        raise store.StoreError(store.redact(f"{uri}: the model cannot be registered: {error}")) from error
    return f"models:/{name}@{alias}"


def _make_registered(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _last(uri: str) -> Path:
    client = store.open_client(uri)
    from mlflow.exceptions import MlflowException

    try:
        runs = sorted(_runs(client), key=lambda run: run.info.end_time or run.info.start_time, reverse=True)
        newest = next((run for run in runs if _holds_model(client, run)), None)
    except MlflowException as error:
        raise store.no_answer(uri, error) from error
    if newest is not None:
        log.info("the newest model is that of run %s (%s)", newest.info.run_id, newest.info.run_name)
        return _fetch(f"{newest.info.artifact_uri}/{MODEL}", newest.info.run_id, uri)
    raise store.StoreError(f"{store.redact(uri)}: none of {len(runs)} runs has a model folder; train one first")


def _runs(client: "MlflowClient") -> Iterator["Run"]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    token = None
    while experiments:
        page = client.search_runs(experiments, max_results=1000, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _holds_model(client: "MlflowClient", run: "Run") -> bool:
    if (root := store.local_path(run.info.artifact_uri)) is not None:
        return (root / MODEL / DESCRIPTION).is_file()
    return any(item.path == f"{MODEL}/{DESCRIPTION}" for item in client.list_artifacts(run.info.run_id, MODEL))


def _of_run(run_id: str, uri: str) -> Path:
    client = store.open_client(uri)
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise store.StoreError(store.redact(f"{uri}: no run {run_id}: {error}")) from error
    return _fetch(f"{run.info.artifact_uri}/{MODEL}", run_id, uri)


def _registered(reference: str, uri: str) -> Path:
    match = re.fullmatch(r"models:/([^/@]+)(?:@([\w-]+)|/(\d+))", reference)
    if match is None:
        raise store.StoreError(f"'{reference}': expected models:/name@alias or models:/name/version")
    name, alias, number = match.groups()
    client = store.open_client(uri)
    from mlflow.exceptions import MlflowException

    try:
        version = client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, number)
        source = client.get_model_version_download_uri(name, version.version)
    except MlflowException as error:
        raise store.StoreError(store.redact(f"{uri}: no registered model {reference}: {error}")) from error
    return _fetch(source, f"{name}-{version.version}", uri)


def _fetch(source: str, label: str, uri: str) -> Path:
    """Return the folder behind an artifact URI, downloaded only when it is not on this machine."""
    if (folder := store.local_path(source)) is not None:
        if not (folder / DESCRIPTION).is_file():
            raise store.StoreError(f"{folder}: expected a model folder, found none; the run may not have finished")
        return folder
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segpose-pipeline" / "models"
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / label
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        try:
            # The description is small and holds the weights' hash: equal descriptions mean equal models.
            path = download_artifacts(f"{source}/{DESCRIPTION}", dst_path=temporary, tracking_uri=uri)
            if (kept / DESCRIPTION).is_file() and (kept / DESCRIPTION).read_bytes() == Path(path).read_bytes():
                return kept
            fetched = Path(download_artifacts(source, dst_path=temporary, tracking_uri=uri))
        except (MlflowException, OSError) as error:
            raise store.StoreError(store.redact(f"{source}: the model cannot be fetched: {error}")) from error
        if kept.exists():
            shutil.rmtree(kept)
        fetched.rename(kept)
    return kept
