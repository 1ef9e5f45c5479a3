import os
import shlex
import subprocess
from pathlib import Path

import pytest

from pipeline.tracking import store


def test_default_is_an_absolute_database_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert store.resolve_uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"


def test_argument_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    assert store.resolve_uri() == "http://localhost:1"
    assert store.resolve_uri(str(tmp_path)) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    assert store.resolve_uri("sqlite:///other.db") == f"sqlite:///{tmp_path}/other.db"


def test_work_folder_lies_beside_the_database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert store.work_root(f"sqlite:///{tmp_path}/x/mlflow.db") == tmp_path / "x" / "work"
    assert store.work_root("http://localhost:1") == tmp_path / "mlruns" / "work"


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b"])
def test_paths_that_a_uri_cannot_carry_are_refused(tmp_path, name):
    with pytest.raises(store.StoreError, match="may not hold"):
        store.embedded_uri(tmp_path / name)


def test_local_path():
    assert store.local_path("file:///a%20b/c") == Path("/a b/c")
    assert store.local_path("/a/b") == Path("/a/b")
    assert store.local_path("mlflow-artifacts:/1/2") is None
    assert store.local_path("s3://bucket/key") is None


def test_passwords_do_not_reach_messages(free_port):
    with pytest.raises(store.StoreError, match="does not answer") as refused:
        store.open_experiment("x", f"http://me:secret@127.0.0.1:{free_port}")
    assert "secret" not in str(refused.value)
    assert f"127.0.0.1:{free_port}" in str(refused.value)


def test_unreachable_server_is_refused_at_the_start(free_port):
    with pytest.raises(store.StoreError, match=r"does not answer.*Start the server"):
        store.open_experiment("x", f"http://127.0.0.1:{free_port}")


def test_experiment_is_made_once_with_artifacts_beside_the_database(embedded):
    client, first = store.open_experiment("CT / spléen", embedded)
    assert store.open_experiment("CT / spléen", embedded)[1] == first
    location = store.local_path(client.get_experiment(first).artifact_location)
    assert location == store.embedded_root(embedded) / "artifacts" / "CT-spléen"


def test_deleted_experiment_is_refused(embedded):
    client, number = store.open_experiment("deleted", embedded)
    client.delete_experiment(number)
    with pytest.raises(store.StoreError, match="deleted"):
        store.open_experiment("deleted", embedded)


def test_a_folder_with_spaces_and_accents_works(tmp_path):
    uri = store.resolve_uri(str(tmp_path / "mes expériences"))
    client, number = store.open_experiment("x", uri)
    run = client.create_run(number)
    folder = store.local_path(run.info.artifact_uri)
    assert (tmp_path / "mes expériences" / "mlflow.db").is_file()
    client.log_text(run.info.run_id, "text", "note.txt")
    assert (folder / "note.txt").read_text() == "text"


def test_open_command_is_quoted_and_absolute(tmp_path):
    uri = store.resolve_uri(str(tmp_path / "a b"))
    words = shlex.split(store.open_command(uri))
    assert words[-5:] == ["ui", "--backend-store-uri", uri, "--port", "5000"]
    assert store.open_command("http://host:5000").endswith("-m webbrowser http://host:5000")


def test_open_command_holds_no_password(monkeypatch):
    assert store.open_command("https://me:secret@host:5000").endswith("-m webbrowser https://host:5000")
    database = "postgresql://me:secret@host/runs"
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert store.open_command(database).endswith(" ui --backend-store-uri postgresql://host/runs --port 5000")
    # The shell puts in what the environment holds anyway.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    command = store.open_command()
    assert "secret" not in command
    shown = subprocess.run(["sh", "-c", f"set -- {command.split(' ui ')[1]}; echo $2"], capture_output=True, text=True)
    assert shown.stdout.strip() == database


def test_telemetry_is_off(embedded):
    store.open_client(embedded)
    import mlflow.telemetry.utils

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert mlflow.telemetry.utils.is_telemetry_disabled()
