"""Files that are either whole or absent: write beside the target, flush to disk, rename."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that replaces `path` when the block ends well.

    Args:
        path: The file to write; its folder exists. What lies there stays until the block has succeeded.

    Yields:
        A hidden path with the suffixes of `path`, for libraries that go by the suffix.
    """
    # a short random name: a long file name with anything added to it could pass the 255-byte limit
    temporary = path.parent / f".{secrets.token_hex(8)}{''.join(path.suffixes[-2:])[-16:]}"
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the whole new one.

    Raises:
        OSError: The folder cannot be written to or the disk is full; the message names the bytes needed.
    """
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            message = f"disk full: {len(data)} bytes are needed, nothing was changed; free some space"
            raise OSError(error.errno, message, str(path)) from error
        raise


def flush(path: Path) -> None:
    """Push a file, or a folder's list of names, from the system's cache to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
