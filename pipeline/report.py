"""What became of each case of a batch: report.json and the exit code."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from datamodules.formats.atomic import write_atomically
from pipeline import exit_codes
from pipeline.tracking.environment import package_versions

REPORT_NAME = "report.json"

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class CaseResult:
    """What became of one case.

    Args:
        id: Name of the case.
        status: "skipped": an earlier start finished it, from the same input, model and settings.
        seconds: Time spent on the case in reading, network and writing, which overlap with other cases.
        peak_memory_mib: Highest resident memory of the process up to the end of this case, in MiB.
        peak_device_memory_mib: Highest memory allocated on the accelerator for this case, in MiB.
        outputs: Files, relative to the output folder.
        messages: Warnings, or why the case failed.
        fingerprint: Hash of the input's bytes, the model and the settings.
    """

    id: str
    status: Status
    seconds: float = 0.0
    peak_memory_mib: float | None = None
    peak_device_memory_mib: float | None = None
    outputs: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    fingerprint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> "CaseResult":
        """Rebuild from `to_dict`, or from its JSON."""
        lists = {key: tuple(description.get(key, ())) for key in ("outputs", "messages")}
        return cls(**{**description, **lists})


@dataclass(frozen=True)
class Report:
    """What a batch command did.

    Args:
        command: The verb of the command line.
        device: Where the network ran.
        model: Folder and hash of the model.
        settings: Everything else that the outputs depend on.
        cases: One result per case, in the order of the input.
        seconds: Wall-clock time of the whole.
        earlier: Results of earlier starts into the same folder, on cases that are not in this input.
        versions: Of Python, this software and the packages that it needs.
    """

    command: str
    device: str
    model: dict[str, str]
    settings: dict[str, Any]
    cases: Sequence[CaseResult]
    seconds: float
    earlier: Sequence[CaseResult] = ()
    versions: dict[str, str] = field(default_factory=package_versions)

    def count(self, status: Status) -> int:
        """Return the number of cases with this status."""
        return sum(case.status == status for case in self.cases)

    @property
    def exit_code(self) -> int:
        """0 all done, 1 all failed, 3 some failed and the rest is done."""
        failed = self.count("failed")
        if not failed:
            return exit_codes.DONE
        return exit_codes.FAILED if failed == len(self.cases) else exit_codes.PARTLY_FAILED

    def save(self, folder: Path) -> Path:
        """Write report.json atomically into the folder and return its path."""
        content = {**asdict(self), "exit_code": self.exit_code}
        path = folder / REPORT_NAME
        write_atomically(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
        return path


def peak_memory_mib() -> float | None:
    """Return the highest resident memory of this process so far in MiB, None where it is unknown."""
    if sys.platform == "win32":
        return None
    import resource  # absent on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)  # bytes on macOS, KiB on Linux
