"""Preprocessed cases on disk, under a key made of content and settings."""

import json
import logging
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.cases import Case, CaseList
from datamodules.checks import read_pair
from datamodules.formats.atomic import flush
from datamodules.grid import Grid
from datamodules.hashing import cache_key, hash_cases, seed_of
from datamodules.labels import LabelSet
from datamodules.preprocessing import Preprocessing
from datamodules.workers import map_cases

log = logging.getLogger(__name__)

FORMAT_VERSION = 1  # raise it when preprocessing or the files below change
_PARTIAL = ".partial-"
_STALE_S = 24 * 3600.0

Locations = dict[int, NDArray[np.int32]]


def cache_folder(given: Path | None) -> Path:
    """Return the folder that is given, or the one that training, check and plan share in the home folder."""
    return given or Path.home() / ".cache" / "segpose-pipeline"


@dataclass(frozen=True)
class PreparedCase:
    """A preprocessed case in its folder of the cache."""

    case_id: str
    folder: Path

    def load(self, mmap: bool = True) -> tuple[NDArray[np.float32], NDArray[np.unsignedinteger[Any]], Locations]:
        """Open the case.

        Args:
            mmap: Whether the arrays are read only where they are touched.

        Returns:
            Image `[C, X, Y, Z]`, label `[X, Y, Z]` of class indices or `[K, X, Y, Z]` of masks, and voxel
            coordinates `[n, 3]` by foreground channel (n is 0 for a class that is absent).
        """
        mode: Literal["r"] | None = "r" if mmap else None
        image = np.load(self.folder / "image.npy", mmap_mode=mode, allow_pickle=False)
        label = np.load(self.folder / "label.npy", mmap_mode=mode, allow_pickle=False)
        with np.load(self.folder / "locations.npz", allow_pickle=False) as stored:
            locations = {int(key): stored[key] for key in stored.files}
        return image, label, locations

    def grid(self) -> Grid:
        """Return the way back to the grid of the case's files."""
        return Grid.from_dict(json.loads((self.folder / "grid.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class _Work:
    """What a worker process needs to prepare a case."""

    preprocessing: Preprocessing
    labels: LabelSet
    class_locations: int
    resample_labels: bool

    def __call__(self, case: Case, target: Path) -> None:
        """Prepare a case into its folder, which appears only when it is whole."""
        temporary = target.with_name(_PARTIAL + secrets.token_hex(8))
        temporary.mkdir()
        try:
            self._fill(temporary, case, seed_of(target.name))
            _flush(temporary)
            _publish(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _fill(self, folder: Path, case: Case, seed: int) -> None:
        channels = len(self.preprocessing.channels)
        image, encoded = read_pair(case, self.labels, channels=channels, resample_labels=self.resample_labels)
        prepared = self.preprocessing.apply(image, masks=len(encoded) if self.labels.overlapping else 1)
        del image  # a large volume is held once, not twice
        label = self._prepare_label(encoded, prepared.grid)
        rng = np.random.default_rng(seed)
        locations: dict[str, Any] = {
            str(index): _sample(label[index] if self.labels.overlapping else label == index, rng, self.class_locations)
            for index in self.labels.foreground_indices
        }
        np.save(folder / "image.npy", prepared.image)
        np.save(folder / "label.npy", label)
        np.savez(folder / "locations.npz", **locations)
        (folder / "grid.json").write_text(json.dumps(prepared.grid.to_dict()), encoding="utf-8")

    def _prepare_label(self, encoded: NDArray[np.unsignedinteger[Any]], grid: Grid) -> NDArray[np.unsignedinteger[Any]]:
        if self.labels.overlapping:
            masks = np.empty((len(encoded), *grid.shape), encoded.dtype)
            for index, mask in enumerate(encoded):
                masks[index] = self.preprocessing.apply_labels(mask, grid, (0, 1))
            return masks
        values = range(self.labels.num_channels)
        return np.ascontiguousarray(self.preprocessing.apply_labels(encoded, grid, values))


def prepare_cases(
    listing: CaseList,
    preprocessing: Preprocessing,
    cache_dir: Path,
    workers: int,
    *,
    class_locations: int = 2000,
    resample_labels: bool = False,
    hashes: Mapping[str, str] | None = None,
) -> dict[str, PreparedCase]:
    """Preprocess all cases; what was prepared before from the same content and settings is reused.

    Args:
        listing: The data set.
        preprocessing: What to do to each image and label.
        cache_dir: Where prepared cases are kept.
        workers: Processes; 0 works in this one.
        class_locations: Voxels kept of each class, from which patches are centred.
        resample_labels: As for `checks.check_pair`.
        hashes: Content hashes by case id, where they are known already.

    Returns:
        Prepared cases by id.

    Raises:
        DataError: If cases cannot be prepared; all are named.
    """
    folder = cache_dir / "prepared"
    folder.mkdir(parents=True, exist_ok=True)
    _remove_stale(folder)
    settings = {
        "version": FORMAT_VERSION,
        "preprocessing": preprocessing.to_dict(),
        "labels": listing.labels.to_dict(),
        "class_locations": class_locations,
        "resample_labels": resample_labels,
    }
    hashes = hashes or hash_cases(listing.cases, workers)
    # The name is a hash: ids may be too long for a file system, or equal but for upper and lower case.
    folders = {case.id: folder / cache_key(hashes[case.id], settings) for case in listing.cases}
    missing = [case for case in listing.cases if not folders[case.id].is_dir()]
    work = _Work(preprocessing, listing.labels, class_locations, resample_labels)
    targets = {case.id: (folders[case.id],) for case in missing}
    map_cases(work, missing, workers=workers, description="Preparing cases", arguments=targets)
    log.info("%d of %d cases were in the cache %s", len(listing.cases) - len(missing), len(listing.cases), folder)
    return {case_id: PreparedCase(case_id, path) for case_id, path in folders.items()}


def _sample(mask: NDArray[np.bool_], rng: np.random.Generator, count: int) -> NDArray[np.int32]:
    """Return coordinates `[n, 3]` of at most `count` voxels of a mask."""
    flat = np.flatnonzero(mask)
    if len(flat) > count:
        flat = np.sort(rng.choice(flat, count, replace=False))
    return np.stack(np.unravel_index(flat, mask.shape), axis=1).astype(np.int32)


def _publish(temporary: Path, target: Path) -> None:
    """Rename a folder that is complete; another process may have made the same one meanwhile."""
    try:
        temporary.replace(target)
    except OSError:
        if not target.is_dir():
            raise
    flush(target.parent)


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        flush(path)
    flush(folder)


def _remove_stale(folder: Path) -> None:
    """Remove what a killed process left a day ago or longer."""
    for path in folder.glob(f"{_PARTIAL}*"):
        if time.time() - path.stat().st_mtime > _STALE_S:
            shutil.rmtree(path)
