"""The command that a training prints shows its run in MLflow."""

import json
import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from pipeline.cli import main

SMALL = [
    *("--trainer.max_time", "null", "--trainer.max_epochs", "2", "--data.steps_per_epoch", "2", "--data.workers", "0"),
    *("--data.patch_size", "[16,16,16]", "--model.network.channels", "[4,8,8]", "--model.network.strides", "[1,2,2]"),
    *("--model.network.unit", "plain", "--model.network.units_per_level", "1"),
]
# Offline on purpose, and without the job runner, which would start further processes.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_WORKERS": "1",
}


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def opened(tmp_path, free_port):
    """Return a function that starts the printed command on a free port and returns its address."""
    started = []

    def start(command):
        words = shlex.split(command)
        assert words[-2:] == ["--port", "5000"]
        log = tmp_path / "server.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*words[:-1], str(free_port)],
                # Another folder than that of the training: the command is to hold from anywhere.
                cwd=tmp_path.parent,
                env=os.environ | ENVIRONMENT,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        started.append(process)
        deadline = time.monotonic() + 120
        while not answers(free_port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        return f"http://127.0.0.1:{free_port}"

    try:
        yield start
    finally:
        for process in started:
            # The session of its own holds the server's workers as well, and nothing but them.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def get(address, place, **query):
    with urllib.request.urlopen(f"{address}/{place}?{urllib.parse.urlencode(query)}", timeout=60) as answer:
        return answer.read()


def ask(address, call, **query):
    return json.loads(get(address, f"api/2.0/mlflow/{call}", **query))


def post(address, call, body):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/api/2.0/mlflow/{call}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_the_printed_command_shows_the_run_its_metrics_and_its_files(work, volumes, capfd, opened):
    arguments = ["--data.root", str(volumes), *SMALL, "--data.cache_dir", str(work / "cache")]
    assert main(["train", "--config", "unet_ct.yaml", *arguments]) == 0
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "--backend-store-uri" in line]
    address = opened(line.partition(":")[2].strip())

    (folder,) = work.glob("mlruns/artifacts/*/*/artifacts")
    experiments = post(address, "experiments/search", {"max_results": 100})["experiments"]
    (run,) = post(address, "runs/search", {"experiment_ids": [one["experiment_id"] for one in experiments]})["runs"]
    run_id = run["info"]["run_id"]
    assert run_id == folder.parent.name
    assert run["info"]["status"] == "FINISHED"
    assert {"key": "model.network.channels", "value": "[4, 8, 8]"} in run["data"]["params"]
    metrics = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
    assert {"train/loss_epoch", "validation/dice", "final/dice"} <= set(metrics)
    history = ask(address, "metrics/get-history", run_id=run_id, metric_key="train/loss_epoch")["metrics"]
    assert len(history) == 2

    def files(path):
        return {item["path"] for item in ask(address, "artifacts/list", run_id=run_id, path=path)["files"]}

    assert {"model/model.json", "model/weights.safetensors"} <= files("model")
    pictures = files("pictures")
    assert "pictures/curves.png" in pictures
    assert pictures == {f"pictures/{path.name}" for path in (folder / "pictures").iterdir()}
    served = get(address, "get-artifact", run_id=run_id, path="model/model.json")
    assert served == (folder / "model" / "model.json").read_bytes()
    assert b"<html" in get(address, "").lower()
