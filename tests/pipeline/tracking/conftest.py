import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.tracking import store


@pytest.fixture(scope="session")
def embedded(tmp_path_factory) -> str:
    """Make one embedded store for all tests of the process: its tables take a second or two to create."""
    uri = store.embedded_uri(tmp_path_factory.mktemp("embedded") / "mlruns")
    store.open_client(uri)
    return uri


@contextlib.contextmanager
def running_server(uri: str, port: int, folder: Path) -> Iterator[str]:
    """Run `mlflow server` on a store until the block ends; its address is yielded once it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--artifacts-destination", str(folder / "served")]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    # Offline on purpose, and without the job runner, which would start further processes.
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _healthy(address):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"mlflow server did not start:\n{(folder / 'server.log').read_text()}")
            time.sleep(0.2)
        yield address
    finally:
        # The session of its own holds the workers as well, and nothing but them.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def mlflow_server() -> Callable[..., contextlib.AbstractContextManager[str]]:
    return running_server
