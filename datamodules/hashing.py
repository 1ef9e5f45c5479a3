"""What a case's files hold, as a hash: the name under which results are cached."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from datamodules.cases import Case
from datamodules.formats import suffix_of
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
    """Return a SHA-256 over the bytes of a case's files, their formats and their order, but not their names.

    Raises:
        DataError: If a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in case.files:
        digest.update(f"{suffix_of(path).lower()} {hash_file(path)}\n".encode())
    digest.update(repr(case.volume_indices).encode())
    return digest.hexdigest()


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
