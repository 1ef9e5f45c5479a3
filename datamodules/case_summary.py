"""What is known of one training case, and its file in the cache."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path


@dataclass(frozen=True, eq=False)
class CaseSummary:
    """What a training case holds.

    Args:
        case_id: The case.
        content: SHA-256 of its files.
        voxels: SHA-256 of the image's voxels, equal for the same image in another file.
        shape: Voxels (X, Y, Z) in canonical orientation.
        spacing_mm: Spacing along canonical X, Y, Z.
        limits: Per channel the 0.5 and 99.5 percentile of the whole image.
        voxel_counts: Voxels of each foreground structure.
        samples: Foreground intensities `[C, n]`, n at most 10,000.
    """

    case_id: str
    content: str
    voxels: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    limits: tuple[tuple[float, float], ...]
    voxel_counts: dict[str, int]
    samples: NDArray[np.float32]


def save_summary(path: Path, summary: CaseSummary) -> None:
    """Write a summary as NPZ, whole or not at all; the case's name is left out, as the content decides."""
    meta = {
        "content": summary.content,
        "voxels": summary.voxels,
        "shape": summary.shape,
        "spacing_mm": summary.spacing_mm,
        "limits": summary.limits,
        "voxel_counts": summary.voxel_counts,
    }
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)), samples=summary.samples)


def load_summary(path: Path, case_id: str) -> CaseSummary:
    """Read what `save_summary` wrote, for the case of that name."""
    with np.load(path, allow_pickle=False) as stored:
        meta: dict[str, Any] = json.loads(str(stored["meta"]))
        samples = stored["samples"]
    return CaseSummary(
        case_id=case_id,
        content=meta["content"],
        voxels=meta["voxels"],
        shape=tuple(meta["shape"]),
        spacing_mm=tuple(meta["spacing_mm"]),
        limits=tuple((low, high) for low, high in meta["limits"]),
        voxel_counts=meta["voxel_counts"],
        samples=samples,
    )
