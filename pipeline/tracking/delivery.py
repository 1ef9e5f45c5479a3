"""Bring entries of a run to the MLflow store, also those that an earlier process had to leave behind."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.tracking.outbox import BATCH, SPOOL, Entry
from pipeline.tracking.redaction import redact

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

PARAMS_PER_REQUEST = 100  # MLflow's limit


def send_entries(client: "MlflowClient", run_id: str, entries: Sequence[Entry]) -> None:
    """Send metrics, parameters and the final status of one run; sending them twice does no harm."""
    from mlflow.entities import Metric, Param

    metrics = [Metric(e["key"], e["value"], e["time_ms"], e["step"]) for e in entries if e["kind"] == "metric"]
    params = [Param(e["key"], e["value"]) for e in entries if e["kind"] == "param"]
    if metrics:
        client.log_batch(run_id, metrics=metrics)
    for start in range(0, len(params), PARAMS_PER_REQUEST):
        client.log_batch(run_id, params=params[start : start + PARAMS_PER_REQUEST])
    for entry in entries:
        if entry["kind"] == "status":
            client.set_terminated(run_id, status=entry["value"], end_time=entry["time_ms"])


def upload(client: "MlflowClient", run_id: str, folder: Path, known: dict[str, tuple[int, int]]) -> None:
    """Upload the files of a folder that are new or changed since the last call.

    Args:
        client: Client of the store.
        run_id: The run that gets the files.
        folder: Its work folder.
        known: Size and modification time in ns of the files uploaded so far; updated in place.
    """
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SPOOL):
        state = (path.stat().st_size, path.stat().st_mtime_ns)
        name = path.relative_to(folder).as_posix()
        if known.get(name) != state:
            parent = path.parent.relative_to(folder).as_posix()
            client.log_artifact(run_id, str(path), None if parent == "." else parent)
            known[name] = state


def read_spool(path: Path) -> tuple[str, list[Entry]]:
    """Return the run id and the entries of a spool file; a last line cut short by a kill is left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    entries: list[Entry] = []
    for number, line in enumerate(lines):
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            log.warning("%s: line %d is incomplete and is left out", path, number + 1)
    if not entries or entries[0].get("kind") != "run":
        raise ValueError(f"{path}: expected a first line that names the run; delete the file to skip it")
    return str(entries[0]["run_id"]), entries[1:]


def deliver_spool(client: "MlflowClient", path: Path, *, with_files: bool) -> None:
    """Send a spool file's entries, upload its folder when told to, and remove the file."""
    run_id, entries = read_spool(path)
    ends = [e for e in entries if e["kind"] == "status"]
    others = [e for e in entries if e["kind"] != "status"]
    for start in range(0, len(others), BATCH):
        send_entries(client, run_id, others[start : start + BATCH])
    if with_files:
        upload(client, run_id, path.parent, {})
    # The status goes last: a run that reads FINISHED is complete.
    send_entries(client, run_id, ends[-1:])
    path.unlink(missing_ok=True)
    log.info("run %s: %d entries kept during an outage were sent", run_id, len(entries))


def deliver_leftovers(client: "MlflowClient", work_root: Path) -> None:
    """Send what finished runs left in the work folder when the store was away; failures only warn."""
    for path in sorted(work_root.glob(f"*/{SPOOL}")):
        try:
            if any(entry["kind"] == "status" for entry in read_spool(path)[1]):
                deliver_spool(client, path, with_files=True)
        except Exception as error:  # an old run's leftovers must not stop a new one
            log.warning("%s: not sent, kept for later: %s", path, redact(str(error)))
