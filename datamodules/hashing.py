"""What a case's files hold, as a hash: the name under which results are cached."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamodules.cases import Case, refuse_absent
from datamodules.formats import dicom, format_of, volume_files
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError


def hash_file(path: Path) -> str:
    """Return a SHA-256 over the bytes of a file.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(path, "a readable file", str(error), "restore it or take the case out") from error


def hash_case(case: Case) -> str:
    """Return a SHA-256 over the bytes of a case's files, their formats and their places, but not their names.

    A file that stands for several channels or structures counts at each place, and is read once. Files of a DICOM
    series may come in any order, as their content orders them; slices in a folder are ordered by their names, which
    count for that reason.

    Raises:
        DataError: If a file is absent or cannot be read.
    """
    refuse_absent(case.files, case.id)
    digest = hashlib.sha256()
    known: dict[tuple[Path, ReadOptions], str] = {}
    kind = "masks" if case.masks else "label"  # a mask is read as 0 and 1
    # the volume that is chosen of a file counts below: the file is the same
    images = [(path, replace(case.image_options(i), volume_index=None)) for i, path in enumerate(case.images)]
    labels = [(path, case.label_options()) for path in case.label_files]
    for part, places in (("images", images), (kind, labels)):
        digest.update(f"{part}\n".encode())
        for path, options in places:
            if (path, options) not in known:
                known[path, options] = _hash_volume(path, options)
            digest.update(f"{known[path, options]}\n".encode())
    digest.update(repr(case.volume_indices).encode())
    if case.all_volumes or case.spacing_mm is not None:
        digest.update(repr((case.all_volumes, case.spacing_mm)).encode())
    return digest.hexdigest()


def _hash_volume(path: Path, options: ReadOptions) -> str:
    """Return the format and the hash of all files of a volume."""
    kind = format_of(path, options).name
    files = volume_files(path, options)
    if kind == dicom.name:
        return f"{kind} {digest_of(map(hash_file, files))}"
    names = [file.name if path.is_dir() else file.suffix.lower() for file in files]
    return f"{kind} " + " ".join(f"{name!r} {hash_file(file)}" for name, file in zip(names, files, strict=True))


def hash_cases(cases: Sequence[Case], workers: int) -> dict[str, str]:
    """Return the content hash of every case by id; reading and hashing overlap in threads."""
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        return dict(zip([case.id for case in cases], pool.map(hash_case, cases), strict=True))


def cache_key(content: str, settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a content hash with everything that its result depends on."""
    text = json.dumps({"content": content, **settings}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(hashes: Iterable[str]) -> str:
    """Return a SHA-256 over hashes, whatever their order."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def seed_of(key: str) -> int:
    """Return a seed that belongs to a hash, so that samples drawn for it never change."""
    return int(key[:16], 16)
