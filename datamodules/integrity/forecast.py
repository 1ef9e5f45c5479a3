"""What preparing a data set will take of disk and memory, and what this machine has."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.formats.geometry import Shape
from datamodules.integrity.aggregate import told_once
from datamodules.integrity.facts import CaseFacts
from datamodules.integrity.findings import Finding
from datamodules.resampling import MEMORY_BOUND_BYTES, output_shape

_FLOAT = 4  # bytes of a voxel in memory and in the cache


@dataclass(frozen=True)
class Forecast:
    """Bytes that preparing the cases takes.

    Args:
        spacing_mm: The spacing that they are resampled to: by default the median.
        cache_bytes: Prepared images and labels on disk.
        free_bytes: Free space where the cache is.
        cache_dir: Where that is.
        largest_case: The case that takes most memory.
        memory_bytes: What one process takes for it, without its libraries.
        workers: Processes that work side by side.
        available_bytes: Memory of this machine that is free; None where it does not tell.
    """

    spacing_mm: tuple[float, float, float]
    cache_bytes: int
    free_bytes: int
    cache_dir: str
    largest_case: str
    memory_bytes: int
    workers: int
    available_bytes: int | None

    def sentences(self) -> tuple[str, ...]:
        """Return what will be taken, and what there is."""
        spacing = " x ".join(f"{size:.3g}" for size in self.spacing_mm)
        memory = "" if self.available_bytes is None else f"; {_amount(self.available_bytes)} are free"
        return (
            f"Disk: prepared at the median spacing of {spacing} mm the cases take {_amount(self.cache_bytes)} in "
            f"{self.cache_dir}, where {_amount(self.free_bytes)} are free.",
            f"Memory: the largest case, {self.largest_case}, takes {_amount(self.memory_bytes)} in each of "
            f"{self.workers} process(es){memory}.",
        )


def forecast(facts: Sequence[CaseFacts], labels: int, cache_dir: Path, workers: int) -> Forecast:
    """Forecast what preparing cases at their median spacing takes.

    Args:
        facts: At least one case.
        labels: Label volumes of a case: 1, or the number of overlapping structures.
        cache_dir: An existing folder.
        workers: Processes; 0 counts as one.
    """
    x, y, z = np.median([case.spacing_mm for case in facts], axis=0).tolist()
    needs = {case.case_id: _memory(case, _prepared_shape(case, (x, y, z)), labels) for case in facts}
    largest = max(needs, key=lambda case_id: needs[case_id])
    stored = [math.prod(_prepared_shape(case, (x, y, z))) * (_FLOAT * len(case.channels) + labels) for case in facts]
    return Forecast(
        spacing_mm=(x, y, z),
        cache_bytes=sum(stored),
        free_bytes=shutil.disk_usage(cache_dir).free,
        cache_dir=str(cache_dir),
        largest_case=largest,
        memory_bytes=needs[largest],
        workers=max(1, workers),
        available_bytes=_available(),
    )


def findings_of_forecast(facts: Sequence[CaseFacts], expected: Forecast) -> list[Finding]:
    """Return what does not fit onto this machine, or within what resampling may take of any."""
    over = {
        case.case_id: f"{_amount(_resampling(case, _prepared_shape(case, expected.spacing_mm)))}"
        for case in facts
        if _resampling(case, _prepared_shape(case, expected.spacing_mm)) > MEMORY_BOUND_BYTES
    }
    findings = told_once(
        "resampling-memory",
        "warning",
        "resampling to the median spacing, as the default preprocessing does, takes over "
        f"{_amount(MEMORY_BOUND_BYTES)}, which training would refuse",
        "mend the spacing in the header if it is wrong, or set data.preprocessing.spacing_mm coarser or a crop",
        over,
    )
    if expected.cache_bytes > expected.free_bytes:
        message = (
            f"prepared cases take {_amount(expected.cache_bytes)} at the median spacing, and {expected.cache_dir} has "
            f"{_amount(expected.free_bytes)} free"
        )
        remedy = "free some space, or set data.cache_dir to another disk"
        findings.append(Finding("disk-space", "warning", message, remedy))
    needed = expected.memory_bytes * expected.workers
    if expected.available_bytes is not None and needed > expected.available_bytes:
        message = (
            f"preparing {expected.largest_case} takes {_amount(expected.memory_bytes)} in each of "
            f"{expected.workers} processes, and {_amount(expected.available_bytes)} are free"
        )
        remedy = "set fewer data.workers, or data.preprocessing.spacing_mm coarser"
        findings.append(Finding("memory", "warning", message, remedy))
    return findings


def _prepared_shape(case: CaseFacts, spacing_mm: tuple[float, float, float]) -> Shape:
    return output_shape(case.shape, case.spacing_mm, spacing_mm)


def _resampling(case: CaseFacts, prepared: Shape) -> int:
    """Return what resampling is bound by: source and result of the larger size of every axis."""
    largest = math.prod(max(old, new) for old, new in zip(case.shape, prepared, strict=True))
    return 2 * _FLOAT * len(case.channels) * largest


def _memory(case: CaseFacts, prepared: Shape, labels: int) -> int:
    """Return what one case takes: its file and its voxels, the prepared ones, and one channel in between."""
    voxels, new = math.prod(case.shape), math.prod(prepared)
    largest = math.prod(max(old, after) for old, after in zip(case.shape, prepared, strict=True))
    held = (2 * _FLOAT * len(case.channels) + 4 * labels) * voxels
    return held + (_FLOAT * len(case.channels) + labels) * new + 2 * _FLOAT * largest


def _available() -> int | None:
    """Return the free memory in bytes where Linux tells it, else all memory, else None."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
        if "MemAvailable" in lines:
            return int(lines["MemAvailable"].split()[0]) * 1024
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" in names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _amount(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
