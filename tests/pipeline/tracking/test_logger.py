import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from jsonargparse import ArgumentParser
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from pipeline.model_reference import resolve_model
from pipeline.tracking import store
from pipeline.tracking.delivery import read_spool
from pipeline.tracking.logger import LONGEST_HISTORY, MlflowLogger


class Line(LightningModule):
    def __init__(self, fail_at: int | None = None, error: type[BaseException] = RuntimeError) -> None:
        super().__init__()
        self.save_hyperparameters({"width": 1})
        self.layer = torch.nn.Linear(1, 1)
        self.fail_at, self.error = fail_at, error

    def training_step(self, batch, batch_idx):
        if batch_idx == self.fail_at:
            raise self.error("stop here")
        loss = self.layer(batch).square().mean()
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def _fit(logger: MlflowLogger, model: Line) -> ModelCheckpoint:
    checkpoint = ModelCheckpoint()
    trainer = Trainer(
        logger=logger,
        max_steps=6,
        log_every_n_steps=1,
        accelerator="cpu",
        callbacks=[checkpoint],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(torch.ones(6, 1)))
    return checkpoint


def _history(logger: MlflowLogger, key: str) -> list[float]:
    return [point.value for point in logger.experiment.get_metric_history(logger.run_id, key)]


def test_a_training_is_tracked_whole(embedded):
    logger = MlflowLogger(experiment="fit", tracking_uri=embedded, tags={"site": "a"})
    checkpoint = _fit(logger, Line())
    run = logger.experiment.get_run(logger.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["width"] == "1"
    assert run.data.tags["site"] == "a"
    assert len(_history(logger, "train/loss")) == 6
    assert [step for step, _ in logger.history["train/loss"]] == list(range(6))
    folder = store.local_path(run.info.artifact_uri)
    assert logger.run_folder == folder
    assert logger.save_dir == logger.log_dir == logger.root_dir == str(folder)
    assert (logger.name, logger.version) == ("fit", run.info.run_id)
    assert Path(checkpoint.best_model_path).is_relative_to(folder)
    assert Path(checkpoint.best_model_path).is_file()


@pytest.mark.parametrize(("error", "status"), [(RuntimeError, "FAILED"), (SystemExit, "KILLED")])
def test_status_tells_how_the_training_ended(embedded, error, status):
    logger = MlflowLogger(experiment="ends", tracking_uri=embedded)
    with pytest.raises(error):
        _fit(logger, Line(fail_at=3, error=error))
    assert logger.experiment.get_run(logger.run_id).info.status == status
    assert len(_history(logger, "train/loss")) == 3
    # What succeeds afterwards does not mend the run.
    logger.finalize("success")
    assert logger.experiment.get_run(logger.run_id).info.status == status


def test_a_run_that_is_kept_open_is_not_finished_by_the_fit(embedded):
    logger = MlflowLogger(experiment="open", tracking_uri=embedded)
    logger.keep_open = True
    _fit(logger, Line())
    assert logger.experiment.get_run(logger.run_id).info.status == "RUNNING"
    assert len(_history(logger, "train/loss")) == 6
    logger.keep_open = False
    logger.finalize("success")
    assert logger.experiment.get_run(logger.run_id).info.status == "FINISHED"


def test_files_and_metrics_may_follow_the_first_finalize(embedded):
    logger = MlflowLogger(experiment="follow", tracking_uri=embedded)
    logger.log_metrics({"a": 1.0}, 1)
    logger.finalize("success")
    logger.log_metrics({"final/dice": 0.9}, 2)
    logger.finalize("failed")
    assert _history(logger, "final/dice") == [0.9]
    assert logger.experiment.get_run(logger.run_id).info.status == "FAILED"
    with pytest.raises(ValueError, match="unknown status"):
        logger.finalize("great")


def test_long_parameters_stand_in_full_in_the_file(embedded, caplog):
    logger = MlflowLogger(experiment="params", tracking_uri=embedded)
    logger.log_hyperparams({"split": ["case"] * 3000, "model": {"lr": 0.1}})
    logger.log_hyperparams({"model": {"lr": 0.2}})
    assert "model.lr was logged before" in caplog.text
    assert logger.flush()
    params = logger.experiment.get_run(logger.run_id).data.params
    assert params["model.lr"] == "0.1"
    assert params["split"] == "(24000 characters, in full in params.json)"
    written = json.loads((logger.run_folder / "params.json").read_text())
    assert written == {"split": ["case"] * 3000, "model": {"lr": 0.2}}
    logger.finalize("success")


def test_thousands_of_points_arrive_and_memory_is_bounded(embedded):
    logger = MlflowLogger(experiment="many", tracking_uri=embedded)
    for step in range(LONGEST_HISTORY + 100):
        logger.log_metrics({"loss": float(step)}, step)
    logger.finalize("success")
    assert len(_history(logger, "loss")) == LONGEST_HISTORY + 100
    assert len(logger.history["loss"]) < LONGEST_HISTORY
    assert logger.history["loss"][-1] == (LONGEST_HISTORY + 99, LONGEST_HISTORY + 99.0)


def test_nan_and_infinity_are_taken(embedded):
    logger = MlflowLogger(experiment="odd", tracking_uri=embedded)
    logger.log_metrics({"nan": float("nan"), "inf": float("inf"), "bad (name)": 1.0}, 0)
    logger.finalize("success")
    assert set(logger.experiment.get_run(logger.run_id).data.metrics) == {"nan", "inf", "bad _name_"}


def test_no_run_is_made_before_it_is_used_nor_on_other_ranks(embedded, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = MlflowLogger(experiment="other rank", tracking_uri=embedded)
    logger.log_metrics({"a": 1.0}, 0)
    logger.log_hyperparams({"a": 1})
    logger.finalize("success")
    assert logger.version is None
    assert logger.save_dir is None
    with pytest.raises(RuntimeError, match="rank zero"):
        _ = logger.run_folder
    assert store.open_client(embedded).get_experiment_by_name("other rank") is None


def test_a_model_is_registered_when_asked_for(embedded):
    def finish(register_as):
        logger = MlflowLogger(experiment="register", tracking_uri=embedded, register_as=register_as)
        (logger.run_folder / "model").mkdir()
        (logger.run_folder / "model" / "model.json").write_text("{}")
        reference = logger.register()
        logger.finalize("success")
        return reference, logger.run_folder / "model"

    assert finish(None)[0] is None
    assert finish("kidney")[0] == "models:/kidney/1"
    reference, folder = finish("kidney@best")
    assert reference == "models:/kidney@best"
    assert resolve_model(reference, embedded) == folder


def test_a_registration_that_fails_does_not_lose_the_training(embedded, caplog):
    logger = MlflowLogger(experiment="register", tracking_uri=embedded, register_as="kidney")
    assert logger.register() is None
    assert "not registered as 'kidney'" in caplog.text
    logger.finalize("success")
    assert logger.experiment.get_run(logger.run_id).info.status == "FINISHED"


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a@", "a@v1", "a@latest", "a@b c"])
def test_a_name_that_cannot_be_registered_is_refused_at_the_start(name):
    with pytest.raises(ValueError, match="expected name or name@alias"):
        MlflowLogger(register_as=name)


def test_the_constructor_is_a_schema():
    parser = ArgumentParser()
    parser.add_class_arguments(MlflowLogger, "logger")
    values = parser.parse_object({"logger": {"experiment": "x", "tags": {"a": "b"}}})
    assert parser.instantiate(values).logger.name == "x"


# What another process does: it waits until both can begin, logs, and ends without a word.
LOG_AND_QUIT = """
import logging, sys
logging.basicConfig(level=logging.INFO)
from pipeline.tracking.logger import MlflowLogger
print("ready", flush=True)
sys.stdin.readline()
logger = MlflowLogger(experiment="together", tracking_uri=sys.argv[1])
for step in range(200):
    logger.log_metrics({"loss": float(step), "dice": 0.5}, step)
    if step % 50 == 0:
        assert logger.flush(60)
print(logger.run_id)
raise SystemError("unforeseen, past every finalize")
"""


def test_f23_two_processes_make_one_store_and_log_to_it_at_once(tmp_path):
    uri = store.embedded_uri(tmp_path / "mlruns")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", LOG_AND_QUIT, uri], **pipes, text=True) as other:
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        logger = MlflowLogger(experiment="together", tracking_uri=uri)
        for step in range(200):
            logger.log_metrics({"loss": float(step), "dice": 0.5}, step)
            if step % 50 == 0:
                assert logger.flush(60)
        logger.finalize("success")
        out, errors = other.communicate(timeout=120)
    assert other.returncode == 1, errors
    assert "unforeseen" in errors
    assert "Running upgrade" not in errors  # the database is made quietly
    run_ids = [logger.run_id, out.split()[-1]]
    client = store.open_client(uri)
    runs = [client.get_run(run_id) for run_id in run_ids]
    # A process that ends without a word leaves no run that seems to go on for ever.
    assert [run.info.status for run in runs] == ["FINISHED", "FAILED"]
    assert [len(client.get_metric_history(run_id, "loss")) for run_id in run_ids] == [200, 200]
    assert len({run.info.experiment_id for run in runs}) == 1


def _check_remote_models(logger: MlflowLogger, address: str, cache: Path) -> None:
    """A model of a remote store is brought into the cache, and found there the second time."""
    fetched = resolve_model(logger.run_id, address)
    assert (fetched / "model.json").read_text() == "{}"
    assert fetched.is_relative_to(cache)
    assert resolve_model("last", address) == fetched
    assert logger.register() == "models:/outage@best"
    assert (resolve_model("models:/outage@best", address) / "model.json").read_text() == "{}"


def test_f23_an_outage_never_stops_training(tmp_path, monkeypatch, caplog, free_port, mlflow_server, embedded):
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with mlflow_server(embedded, free_port, tmp_path / "server") as address:
        logger = MlflowLogger(experiment="outage", tracking_uri=address, register_as="outage@best")
        assert logger.run_folder == tmp_path / "mlruns" / "work" / logger.run_id
        logger.log_metrics({"loss": 1.0}, 0)
        assert logger.flush()
    # The server is gone in the middle of the run.
    (logger.run_folder / "pictures").mkdir()
    (logger.run_folder / "pictures" / "a.txt").write_text("picture")
    (logger.run_folder / "model").mkdir()
    (logger.run_folder / "model" / "model.json").write_text("{}")
    begun = time.monotonic()
    _fit(logger, Line())
    assert time.monotonic() - begun < 60  # seconds; a training held up by every retry would take minutes
    assert "training goes on" in caplog.text
    assert "sent when the next run starts" in caplog.text
    run_id, entries = read_spool(logger.run_folder / "unsent.jsonl")
    assert run_id == logger.run_id
    assert sum(entry.get("key") == "train/loss" for entry in entries) == 6
    assert entries[-1]["value"] == "FINISHED"
    assert logger.register() is None
    assert "not registered as 'outage'" in caplog.text

    with mlflow_server(embedded, free_port, tmp_path / "server") as address:
        logger.finalize("success")
        client = logger.experiment
        run = client.get_run(logger.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params["width"] == "1"
        assert len(client.get_metric_history(logger.run_id, "train/loss")) == 6
        assert [item.path for item in client.list_artifacts(logger.run_id, "pictures")] == ["pictures/a.txt"]
        _check_remote_models(logger, address, tmp_path / "cache")
        assert "unsent.jsonl" not in [item.path for item in client.list_artifacts(logger.run_id)]
    assert not (logger.run_folder / "unsent.jsonl").exists()
