import json
import threading
import time

import pytest

from pipeline.tracking.outbox import BATCH, Outbox

HEADER = {"kind": "run", "run_id": "r"}


class Store:
    """A store in memory that can be switched off."""

    def __init__(self) -> None:
        self.entries: list[dict] = []
        self.batches: list[int] = []
        self.up = True
        self.gate = threading.Event()
        self.gate.set()

    def send(self, entries) -> None:
        self.gate.wait(10)
        if not self.up:
            raise ConnectionError("no route to https://me:secret@host")
        self.batches.append(len(entries))
        self.entries.extend(entries)


@pytest.fixture
def remote() -> Store:
    return Store()


@pytest.fixture
def outbox(remote, tmp_path) -> Outbox:
    return Outbox(remote.send, tmp_path / "spool.jsonl", HEADER, interval_s=0.01)


def test_order_is_kept_and_batches_are_bounded(outbox, remote):
    outbox.put({"n": n} for n in range(2 * BATCH + 5))
    assert outbox.flush(10)
    assert [entry["n"] for entry in remote.entries] == list(range(2 * BATCH + 5))
    assert max(remote.batches) == BATCH


def test_a_slow_store_does_not_hold_up_the_caller(outbox, remote):
    remote.gate.clear()
    outbox.put([{"n": 0}])
    time.sleep(0.1)
    begun = time.monotonic()
    for n in range(1000):
        outbox.put([{"n": n}])
    assert time.monotonic() - begun < 0.5
    assert not outbox.flush(0.1)
    remote.gate.set()
    assert outbox.flush(10)


def test_f23_an_outage_spools_to_a_file_and_is_made_up_for(outbox, remote, tmp_path, caplog):
    caplog.set_level("INFO")
    spool = tmp_path / "spool.jsonl"
    outbox.put([{"n": 0}])
    assert outbox.flush(10)
    remote.up = False
    outbox.put([{"n": 1}, {"n": 2}])
    assert not outbox.flush(0.3)
    outbox.put([{"n": 3}])
    assert not outbox.flush(0.3)
    assert [json.loads(line) for line in spool.read_text().splitlines()] == [
        HEADER,
        {"n": 1},
        {"n": 2},
        {"n": 3},
    ]
    assert outbox.unsent == 3
    assert sum(record.levelname == "WARNING" for record in caplog.records) == 1
    assert "no route to https://host" in caplog.text
    remote.up = True
    assert outbox.flush(10)
    assert [entry["n"] for entry in remote.entries] == [0, 1, 2, 3]
    assert not spool.exists()
    assert "answers again" in caplog.text


def test_a_full_disk_during_an_outage_does_not_stop_training(remote, tmp_path, caplog):
    outbox = Outbox(remote.send, tmp_path / "missing" / "spool.jsonl", HEADER, interval_s=0.01)
    remote.up = False
    outbox.put([{"n": 1}])
    assert not outbox.flush(0.3)
    assert "could not be kept on disk" in caplog.text
    remote.up = True
    assert outbox.flush(10)
