import json
from pathlib import Path

import pytest

from pipeline.tracking import store
from pipeline.tracking.delivery import deliver_leftovers, read_spool, upload


@pytest.fixture
def run(embedded):
    client, experiment_id = store.open_experiment("left behind", embedded)
    return client, client.create_run(experiment_id).info


def _spool(folder: Path, run_id: str, *, finished: bool, cut: bool = False) -> Path:
    folder.mkdir(parents=True)
    entries = [{"kind": "run", "run_id": run_id}, {"kind": "param", "key": "lr", "value": "0.1"}]
    entries += [
        {"kind": "metric", "key": "loss", "value": 1.0 / (n + 1), "time_ms": 1000 + n, "step": n} for n in range(2500)
    ]
    if finished:
        entries.append({"kind": "status", "value": "FINISHED", "time_ms": 9000})
    text = "".join(json.dumps(entry) + "\n" for entry in entries)
    path = folder / "unsent.jsonl"
    path.write_text(text + ('{"kind": "met' if cut else ""))
    return path


def test_f23_what_an_outage_left_behind_is_sent_by_the_next_start(run, tmp_path):
    client, info = run
    spool = _spool(tmp_path / info.run_id, info.run_id, finished=True)
    (spool.parent / "model").mkdir()
    (spool.parent / "model" / "card.md").write_text("facts")
    deliver_leftovers(client, tmp_path)
    deliver_leftovers(client, tmp_path)  # nothing is left for the second
    found = client.get_run(info.run_id)
    assert (found.info.status, found.info.end_time) == ("FINISHED", 9000)
    assert found.data.params == {"lr": "0.1"}
    assert len(client.get_metric_history(info.run_id, "loss")) == 2500
    folder = store.local_path(info.artifact_uri)
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == ["card.md"]
    assert not spool.exists()


def test_a_run_that_may_still_go_on_is_left_alone(run, tmp_path):
    client, info = run
    spool = _spool(tmp_path / info.run_id, info.run_id, finished=False)
    deliver_leftovers(client, tmp_path)
    assert spool.exists()
    assert client.get_run(info.run_id).info.status == "RUNNING"


def test_leftovers_of_another_store_are_kept_with_a_warning(run, tmp_path, caplog):
    spool = _spool(tmp_path / "x", "0" * 32, finished=True)
    deliver_leftovers(run[0], tmp_path)
    assert spool.exists()
    assert "not sent, kept for later" in caplog.text


def test_passwords_do_not_reach_the_warning(run, tmp_path, caplog, free_port):
    # A client that answers with the whole address, as MLflow's does, of a server that is not there.
    from mlflow import MlflowClient

    _spool(tmp_path / "x", "0" * 32, finished=True)
    deliver_leftovers(MlflowClient(f"http://me:secret@127.0.0.1:{free_port}"), tmp_path)
    assert f"127.0.0.1:{free_port}" in caplog.text
    assert "secret" not in "".join(record.message for record in caplog.records if record.name.startswith("pipeline"))


def test_a_last_line_cut_by_a_kill_is_left_out(tmp_path, caplog):
    run_id, entries = read_spool(_spool(tmp_path / "x", "abc", finished=False, cut=True))
    assert (run_id, len(entries)) == ("abc", 2501)
    assert "incomplete" in caplog.text


def test_a_spool_without_its_run_is_refused(tmp_path):
    (tmp_path / "unsent.jsonl").write_text('{"kind": "metric"}\n')
    with pytest.raises(ValueError, match="names the run"):
        read_spool(tmp_path / "unsent.jsonl")


def test_only_new_and_changed_files_are_uploaded(run, tmp_path):
    client, info = run
    (tmp_path / "a.txt").write_text("1")
    known: dict[str, tuple[int, int]] = {}
    upload(client, info.run_id, tmp_path, known)
    target = store.local_path(info.artifact_uri) / "a.txt"
    assert target.read_text() == "1"
    target.unlink()
    upload(client, info.run_id, tmp_path, known)
    assert not target.exists()
    (tmp_path / "a.txt").write_text("22")
    upload(client, info.run_id, tmp_path, known)
    assert target.read_text() == "22"
