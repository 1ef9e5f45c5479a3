"""What is known of a data set before training: geometry, intensities and classes of each case."""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.case_summary import CaseSummary, load_summary, save_summary
from datamodules.cases import Case, CaseList
from datamodules.checks import read_pair
from datamodules.formats.errors import DataError
from datamodules.geometry import to_canonical
from datamodules.hashing import cache_key, digest_of, hash_case, hash_cases, seed_of
from datamodules.labels import LabelSet
from datamodules.training_range import intensity_limits, training_range
from datamodules.workers import map_cases

__all__ = [
    "CaseSummary",
    "ForegroundStatistics",
    "data_digest",
    "foreground_statistics",
    "read_case_summary",
    "read_summaries",
    "refuse_duplicates",
    "training_range",
]

log = logging.getLogger(__name__)

FORMAT_VERSION = 1  # raise it when a summary's content changes
MAX_SAMPLES = 10_000  # foreground voxels kept of a case


@dataclass(frozen=True)
class ForegroundStatistics:
    """Intensities of one channel in the foreground of the training cases."""

    lower: float
    upper: float
    mean: float
    std: float


def read_case_summary(
    case: Case,
    labels: LabelSet,
    *,
    content: str | None = None,
    channels: int | None = None,
    resample_labels: bool = False,
) -> CaseSummary:
    """Read a case, check it, and summarise it.

    Args:
        case: A case with a label.
        labels: What may be stored.
        content: The hash of its files, where it is known already.
        channels: The number of channels of the data set, where it is known.
        resample_labels: As for `checks.check_pair`.

    Raises:
        DataError: If a file is broken or a check fails.
    """
    content = content or hash_case(case)
    image, label = read_pair(case, labels, channels=channels, resample_labels=resample_labels)
    canonical = to_canonical(image)
    masks = label if labels.overlapping else [label == index for index in labels.foreground_indices]
    counts = {name: int(np.count_nonzero(m)) for name, m in zip(labels.names, masks, strict=True)}
    foreground = np.flatnonzero(label.any(axis=0) if labels.overlapping else label)
    if len(foreground) > MAX_SAMPLES:
        chosen = np.random.default_rng(seed_of(content)).choice(len(foreground), MAX_SAMPLES, replace=False)
        foreground = foreground[np.sort(chosen)]
    channels_flat = image.array.reshape(len(image.array), -1)
    return CaseSummary(
        case_id=case.id,
        content=content,
        voxels=_hash_voxels(image.array),
        shape=canonical.shape,
        spacing_mm=canonical.spacing_mm,
        limits=intensity_limits(image),
        voxel_counts=counts,
        samples=channels_flat[:, foreground].astype(np.float32),
    )


def read_summaries(
    listing: CaseList, cache_dir: Path, workers: int, *, resample_labels: bool = False
) -> dict[str, CaseSummary]:
    """Summarise all cases; a case that was read before with the same content is taken from the cache.

    Args:
        listing: The data set.
        cache_dir: Where summaries are kept, by the hash of content and labels.
        workers: Processes; 0 reads in this one.
        resample_labels: As for `checks.check_pair`.

    Returns:
        Summaries by case id.

    Raises:
        DataError: If cases cannot be used (all are named), or two cases hold the same image.
    """
    folder = cache_dir / "summaries"
    folder.mkdir(parents=True, exist_ok=True)
    channels = len(listing.channel_names)
    settings = {
        "version": FORMAT_VERSION,
        "labels": listing.labels.to_dict(),
        "channels": channels,
        "resample_labels": resample_labels,
    }
    hashes = hash_cases(listing.cases, workers)
    paths = {id_: folder / f"{cache_key(content, settings)}.npz" for id_, content in hashes.items()}
    missing = [case for case in listing.cases if not paths[case.id].exists()]
    work = partial(_summarise, paths, hashes, listing.labels, channels, resample_labels)
    map_cases(work, missing, workers=workers, description="Reading cases")
    summaries = {case.id: load_summary(paths[case.id], case.id) for case in listing.cases}
    refuse_duplicates(listing.root, summaries.values())
    return summaries


def foreground_statistics(summaries: Sequence[CaseSummary]) -> tuple[ForegroundStatistics, ...]:
    """Return percentiles 0.5 and 99.5, mean and deviation of each channel over all foreground samples.

    Raises:
        DataError: If no case has any foreground.
    """
    samples = [summary.samples for summary in summaries if summary.samples.shape[1]]
    if not samples:
        raise DataError(
            Path("data"),
            expected="labelled voxels in the training cases",
            found=f"empty masks in all {len(summaries)}",
            remedy="check the label files and `data.labels`",
        )
    pooled = np.concatenate(samples, axis=1).astype(np.float64)
    lower, upper = np.percentile(pooled, (0.5, 99.5), axis=1)
    rows = zip(lower, upper, pooled.mean(axis=1), pooled.std(axis=1), strict=True)
    return tuple(ForegroundStatistics(*(float(value) for value in row)) for row in rows)


def data_digest(summaries: Iterable[CaseSummary]) -> str:
    """Return a SHA-256 over the sorted content hashes of the cases."""
    return digest_of(summary.content for summary in summaries)


def refuse_duplicates(root: Path, summaries: Iterable[CaseSummary]) -> None:
    """Refuse a data set that holds an image twice, as it could both train and validate.

    Raises:
        DataError: With the names of such cases.
    """
    seen: dict[str, str] = {}
    doubled: list[str] = []
    for summary in summaries:
        if summary.voxels in seen:
            doubled.append(f"{seen[summary.voxels]} and {summary.case_id}")
        seen[summary.voxels] = summary.case_id
    if doubled:
        raise DataError(root, "every image once", f"the same voxels in {', '.join(doubled)}", "remove one of each")


def _hash_voxels(array: NDArray[np.float32]) -> str:
    digest = hashlib.sha256(repr(array.shape).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _summarise(
    paths: Mapping[str, Path],
    hashes: Mapping[str, str],
    labels: LabelSet,
    channels: int,
    resample_labels: bool,
    case: Case,
) -> None:
    summary = read_case_summary(
        case, labels, content=hashes[case.id], channels=channels, resample_labels=resample_labels
    )
    save_summary(paths[case.id], summary)
