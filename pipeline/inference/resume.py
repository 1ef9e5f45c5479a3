"""What an output folder already holds, so that a second start computes nothing twice."""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from datamodules.formats.errors import DataError
from datamodules.hashing import cache_key
from pipeline.report import REPORT_NAME, CaseResult

log = logging.getLogger(__name__)

JOURNAL_NAME = "progress.jsonl"
INTERRUPTED = "interrupted"


def fingerprint(content: str, model_sha256: str, settings: Mapping[str, Any]) -> str:
    """Return a SHA-256 of all that the outputs of a case depend on.

    Args:
        content: Hash of the input's bytes, as `hash_case` returns it.
        model_sha256: Hash of the model.
        settings: The user's choices, JSON-able.
    """
    return cache_key(content, {"model": model_sha256, "settings": dict(settings)})


class Journal:
    """The record of an output folder, usable after a kill at any moment.

    A line is appended before the files of a case are written, and another one when they are; `close` removes
    the lines once report.json holds the same. Files that no record names are somebody else's.

    Args:
        folder: The output folder, which exists.

    Raises:
        DataError: If report.json in the folder is none of this program's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / JOURNAL_NAME
        self._latest = {result.id: result for result in [*self._read_report(), *self._read_lines()]}

    @property
    def is_new(self) -> bool:
        """Whether no earlier start has left a record."""
        return not self._latest

    def finished(self, case_id: str, fingerprint: str) -> CaseResult | None:
        """Return the record of a case with this fingerprint whose files are all there."""
        result = self._latest.get(case_id)
        if result is None or result.status == "failed" or result.fingerprint != fingerprint:
            return None
        return result if len(self.existing(case_id)) == len(result.outputs) else None

    def existing(self, case_id: str) -> tuple[str, ...]:
        """Return the recorded files of a case that are there."""
        recorded = self._latest[case_id].outputs if case_id in self._latest else ()
        return tuple(name for name in recorded if (self.folder / name).is_file())

    def foreign(self, case_id: str, outputs: Iterable[str]) -> list[str]:
        """Return those of the outputs that are there but that no record of the case names."""
        recorded = self.existing(case_id)
        return [name for name in outputs if name not in recorded and os.path.lexists(self.folder / name)]

    def announce(self, case_id: str, outputs: tuple[str, ...]) -> None:
        """Record that the files of a case are to be written, and remove its others."""
        earlier = self.existing(case_id)
        self.record(CaseResult(case_id, "failed", outputs=outputs, messages=(INTERRUPTED,)))
        for name in set(earlier) - set(outputs):
            (self.folder / name).unlink()

    def record(self, result: CaseResult) -> None:
        """Append what became of a case and flush it to the disk."""
        self._latest[result.id] = result
        with self._path.open("a", encoding="utf-8") as stream:
            # The line break comes first: it also ends a line that a kill has cut short.
            stream.write(f"\n{json.dumps(result.to_dict())}")
            stream.flush()
            os.fsync(stream.fileno())

    def close(self) -> None:
        """Remove the lines, once report.json holds the same."""
        self._path.unlink(missing_ok=True)

    def others(self, case_ids: Iterable[str]) -> list[CaseResult]:
        """Return the records of earlier starts on cases that are not among these."""
        current = set(case_ids)
        return [result for case_id, result in self._latest.items() if case_id not in current]

    def _read_report(self) -> list[CaseResult]:
        path = self.folder / REPORT_NAME
        if not path.exists():
            return []
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return [CaseResult.from_dict(case) for part in ("cases", "earlier") for case in content[part]]
        except (ValueError, KeyError, TypeError) as error:
            found = f"{type(error).__name__}: {error}"
            remedy = "choose another output folder, or remove the file"
            raise DataError(path, "a report of this program", found, remedy) from error

    def _read_lines(self) -> list[CaseResult]:
        if not self._path.exists():
            return []
        results = []
        for line in self._path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                results += [CaseResult.from_dict(json.loads(line))] if line else []
            except (ValueError, TypeError):
                log.warning("%s: passed over a line that was cut short; its case is done again", self._path)
        return results
