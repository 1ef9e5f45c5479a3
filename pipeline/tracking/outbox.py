"""A queue that sends to the tracking store from its own thread and keeps what cannot be sent."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.tracking.redaction import redact

log = logging.getLogger(__name__)

Entry = dict[str, Any]
BATCH = 1000  # MLflow takes at most 1000 metrics in one request
SPOOL = "unsent.jsonl"


class Outbox:
    """Send entries in order; while the store is away, keep them in memory and in a file.

    Training only ever appends to a list: neither a slow store nor a dead one can hold it up.

    Args:
        send: Sends a batch of entries, or raises; sending an entry twice must do no harm.
        spool: File for the entries that wait during an outage; removed once all are sent.
        header: First line of the spool file.
        interval_s: Seconds over which entries are gathered into one batch.
        longest_pause_s: Upper bound of the pause between two attempts, which doubles from one second.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Entry]], None],
        spool: Path,
        header: Entry,
        *,
        interval_s: float = 1.0,
        longest_pause_s: float = 60.0,
    ) -> None:
        self._send, self._spool, self._header = send, spool, header
        self._interval_s, self._longest_pause_s = interval_s, longest_pause_s
        self._pending: list[Entry] = []
        self._spooled = 0  # so many of the pending entries are in the file already
        self._failures = 0  # since the last success
        self._failed_attempts = 0  # in all
        self._disk_failed = False
        self._hurry = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def unsent(self) -> int:
        """Number of entries that wait."""
        with self._changed:
            return len(self._pending)

    def put(self, entries: Iterable[Entry]) -> None:
        """Queue entries; returns at once."""
        with self._changed:
            self._pending.extend(entries)
            if self._thread is None:
                # A daemon: a hanging store must not keep the process from ending.
                self._thread = threading.Thread(target=self._work, name="mlflow-outbox", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout_s: float = 15.0) -> bool:
        """Send what waits and return whether all of it arrived; two failed attempts or the time end it."""
        with self._changed:
            self._hurry += 1
            enough = self._failed_attempts + 2
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: not self._pending or self._failed_attempts >= enough, timeout_s)
                if self._pending:
                    self._write_spool()
                return not self._pending
            finally:
                self._hurry -= 1

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._pending))
                self._pause()
                batch = self._pending[:BATCH]
            try:
                self._send(batch)
            except Exception as error:  # whatever the store's failure is, training goes on without it
                self._failed(error)
            else:
                self._arrived(len(batch))

    def _pause(self) -> None:
        pause_s = self._interval_s
        if self._failures:
            pause_s = min(2.0 ** (self._failures - 1), self._longest_pause_s)
        elif len(self._pending) >= BATCH:
            return
        until = time.monotonic() + pause_s
        while (left_s := until - time.monotonic()) > 0 and not self._hurry:
            self._changed.wait(left_s)
        if self._hurry and self._failures:
            self._changed.wait(0.5)  # asked to hurry, but a dead store is not to be hammered

    def _failed(self, error: Exception) -> None:
        with self._changed:
            self._failures += 1
            self._failed_attempts += 1
            if self._failures == 1:
                log.warning(
                    "the tracking store does not answer (%s); training goes on, metrics are kept in %s and sent later",
                    redact(str(error).splitlines()[0]) if str(error) else type(error).__name__,
                    self._spool,
                )
            self._write_spool()
            self._changed.notify_all()

    def _arrived(self, count: int) -> None:
        with self._changed:
            del self._pending[:count]
            self._spooled = max(0, self._spooled - count)
            if self._failures:
                log.info("the tracking store answers again; %d entries still wait", len(self._pending))
            self._failures = 0
            if not self._pending:
                self._spool.unlink(missing_ok=True)
            self._changed.notify_all()

    def _write_spool(self) -> None:
        new = self._pending[self._spooled :]
        try:
            first = not self._spool.exists()
            with self._spool.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(entry) + "\n" for entry in ([self._header] if first else []) + new)
        except OSError as error:
            if not self._disk_failed:  # once: every further attempt would only say it again
                log.error("%s: metrics could not be kept on disk either: %s", self._spool, error)
            self._disk_failed = True
        else:
            self._spooled = len(self._pending)
