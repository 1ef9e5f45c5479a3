"""Decoded images in one file on disk, shared by all workers through the system's page cache."""

from __future__ import annotations

import errno
import json
import logging
import mmap
import re
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.file_mapping import map_files
from datamodules.formats import photograph
from datamodules.formats.atomic import atomic_path
from datamodules.formats.errors import DataError
from datamodules.hashing import digest_of, hash_file

log = logging.getLogger(__name__)

FORMAT_VERSION = 2  # raise it when decoding or the layout of the file changes
_MAGIC = b"rgbstore"
_TAIL = struct.Struct("<Q8s")  # length of the index, then the magic, at the file's end
_SUFFIX = ".rgb"
_FOLDER = "pose-images"
# A cache is named by its key; one that is being written is hidden, and named as `atomic_path` does.
_OWN = re.compile(r"[0-9a-f]{64}\.rgb|\.[0-9a-f]{16}\.rgb")
_UNUSED_S = 30 * 24 * 3600.0  # files that no run has opened for this long are removed
_STALE_S = 24 * 3600.0
_MIB = 1 << 20


@dataclass(frozen=True)
class StoredImage:
    """Size of a decoded image in pixels, and where it begins in the file; None where it did not fit."""

    width: int
    height: int
    offset: int | None

    @property
    def bytes(self) -> int:
        """Return the size of its pixels."""
        return self.width * self.height * 3


class ImageStore:
    """Images by path, decoded once as far as the cache holds them.

    Args:
        file: The cache.
        entries: By image path, what the cache knows of it.
        contents: By image path, the SHA-256 of its bytes.
    """

    def __init__(self, file: Path, entries: Mapping[Path, StoredImage], contents: Mapping[Path, str]) -> None:
        self.file = file
        self.entries = dict(entries)
        self.contents = dict(contents)
        self._pixels: NDArray[np.uint8] | None = None

    def size(self, path: Path) -> tuple[int, int]:
        """Return width and height of an image in pixels."""
        return self.entries[path].width, self.entries[path].height

    def load(self, path: Path) -> NDArray[np.uint8]:
        """Return an image as RGB [H, W, 3]; one from the cache cannot be written to.

        Raises:
            DataError: If the image is not in the cache and its file has changed or is gone.
        """
        entry = self.entries[path]
        if entry.offset is not None:
            pixels = self._mapped()[entry.offset : entry.offset + entry.bytes]
            return pixels.reshape(entry.height, entry.width, 3)
        image = photograph.read(path)
        if image.shape[:2] != (entry.height, entry.width):
            found = f"{image.shape[1]} x {image.shape[0]}"
            raise DataError(path, f"an image of {entry.width} x {entry.height}", found, "do not change it in training")
        return image

    def _mapped(self) -> NDArray[np.uint8]:
        if self._pixels is None:
            with self.file.open("rb") as stream:
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            self._pixels = np.frombuffer(mapped, np.uint8)
        return self._pixels

    def __getstate__(self) -> dict[str, Any]:
        # A worker maps the file itself: a mapping cannot be sent, and a copy of it would be the whole data set.
        return self.__dict__ | {"_pixels": None}


def open_store(paths: Iterable[Path], cache_dir: Path, *, cache_mib: int, workers: int) -> ImageStore:
    """Open the cache of some images; decode them first if no run has done so before.

    The cache is found and laid out by the images' content, whatever their names: equal sets of images share one file,
    and one that is made again while another run has it open is the same to the byte. Every image is decoded once,
    also where it does not fit, so that broken ones are known before training.

    Args:
        paths: The images; each may be named several times.
        cache_dir: Where caches are kept.
        cache_mib: Largest size of the decoded images on disk; those beyond it are decoded at each use.
        workers: Threads that read and decode.

    Raises:
        DataError: If images are missing or do not decode; all are named.
        OSError: If the cache cannot be written.
    """
    files = sorted(set(paths))
    contents = map_files(hash_file, files, workers, "Reading images")
    named = {content: path for path, content in reversed(contents.items())}
    first = {content: named[content] for content in sorted(named)}
    folder = cache_dir / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    key = digest_of([*first, f"version {FORMAT_VERSION} with {cache_mib} MiB"])
    target = folder / f"{key}{_SUFFIX}"
    index = _read_index(target, first)
    if index is None:
        _remove_old(folder)
        _build(target, first, cache_mib * _MIB, workers)
        index = _read_index(target, first)
    if index is None:
        raise OSError(f"{target}: the cache of images just written cannot be read; check the disk")
    target.touch()
    _log_misses(index, cache_mib)
    return ImageStore(target, {path: index[content] for path, content in contents.items()}, contents)


def _build(target: Path, images: Mapping[str, Path], limit: int, workers: int) -> None:
    """Decode images by content into one file, in the order given; an index stands at its end."""
    index: dict[str, dict[str, int | None]] = {}
    names = {path: content for content, path in images.items()}
    with _naming_what_helps(target), atomic_path(target) as temporary, temporary.open("wb") as stream:

        def keep(path: Path, image: NDArray[np.uint8]) -> None:
            offset = stream.tell()
            fits = offset + image.nbytes <= limit
            if fits:
                stream.write(image.data)
            index[names[path]] = asdict(StoredImage(image.shape[1], image.shape[0], offset if fits else None))

        map_files(photograph.read, list(names), workers, "Decoding images", keep)
        text = json.dumps(index).encode()
        stream.write(text + _TAIL.pack(len(text), _MAGIC))


@contextmanager
def _naming_what_helps(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        message = "disk full: free some space, lower data.cache_mib, or set data.cache_dir to another disk"
        raise OSError(error.errno, message, str(target)) from error


def _read_index(file: Path, contents: Iterable[str]) -> dict[str, StoredImage] | None:
    """Return the index of a cache of some contents; None if there is none, or it is damaged and must be made again."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(size - _TAIL.size, 0))
            tail = stream.read()
            length, magic = _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b"")
            if magic == _MAGIC and length + _TAIL.size <= size:
                pixels = stream.seek(size - _TAIL.size - length)
                return _parse_index(stream.read(length), contents, pixels)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, RecursionError) as error:  # also what is no UTF-8 or no JSON
        log.warning("%s: the index of this cache of images is damaged (%s); it is made again", file, error)
        return None
    log.warning("%s: not a whole cache of images; it is made again", file)
    return None


def _parse_index(text: bytes, contents: Iterable[str], pixels: int) -> dict[str, StoredImage]:
    """Return what an index says of contents, whose images must lie in the first so many bytes of the file.

    Raises:
        ValueError: If it is no UTF-8, no JSON, or an image lies elsewhere; TypeError and KeyError likewise.
    """
    index = json.loads(text)
    entries = {content: StoredImage(**index[content]) for content in contents}
    for content, entry in entries.items():
        numbers = (entry.width, entry.height, 0 if entry.offset is None else entry.offset)
        if not all(type(number) is int for number in numbers) or min(numbers[:2]) < 1 or numbers[2] < 0:
            raise ValueError(f"image {content[:8]} of {entry}")
        if entry.offset is not None and entry.offset + entry.bytes > pixels:
            raise ValueError(f"image {content[:8]} ends beyond the {pixels} bytes of pixels")
    return entries


def _log_misses(index: Mapping[str, StoredImage], cache_mib: int) -> None:
    misses = [entry for entry in index.values() if entry.offset is None]
    if misses:
        needed = -(-sum(entry.bytes for entry in index.values()) // _MIB)
        log.warning(
            "%d of %d images do not fit into the cache and are decoded at each use: data.cache_mib is %d, all of them "
            "need %d",
            len(misses),
            len(index),
            cache_mib,
            needed,
        )


def _remove_old(folder: Path) -> None:
    """Remove caches that no run has used for a month, and what a killed process left a day ago or longer.

    Anything else that lies there is somebody's own and stays.
    """
    for path in folder.iterdir():
        if not _OWN.fullmatch(path.name) or path.is_symlink() or not path.is_file():
            continue
        with suppress(FileNotFoundError):  # another run may publish or remove it at the same moment
            age = time.time() - path.stat().st_mtime
            if age > (_STALE_S if path.name.startswith(".") else _UNUSED_S):
                path.unlink()
