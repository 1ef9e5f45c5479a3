"""The bytes of voxels in NRRD and MetaImage: as many as the header promises, read to the end, in bounded memory."""

from __future__ import annotations

import bz2
import os
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.gzip_stream import MAXIMUM_RATIO, inflated

Encoding = Literal["raw", "gzip", "bzip2", "zlib"]
_PIECE = 1 << 20  # bytes
_ZLIB_OR_GZIP = 47  # zlib's window bits for either of the two
# bytes of voxels per byte of the file: bzip2 packs a block of 46 MB of zeros into some thirty bytes
_RATIO = {"raw": 1, "gzip": MAXIMUM_RATIO, "zlib": MAXIMUM_RATIO, "bzip2": 2_000_000}
_TRUNCATED = "fetch or export the file again: it was cut short or damaged"
_ABSENT = "restore it, or check its name and permissions"


def read_exactly(path: Path, offset: int, claimed: int, encoding: Encoding) -> NDArray[np.uint8]:
    """Read the bytes that a header claims; a compressed stream to its end, which tests its checksum.

    Memory is taken for what is claimed, and not before the file is long enough to hold it.

    Args:
        path: The file that holds the voxels.
        offset: Bytes before them.
        claimed: How many bytes they have.
        encoding: How they are stored.

    Raises:
        DataError: The file is cut short, damaged, or holds more than is claimed.
    """
    try:
        with path.open("rb") as stream:
            most = max(0, os.fstat(stream.fileno()).st_size - offset) * _RATIO[encoding]
            if claimed > most:
                _refuse_length(path, claimed, f"{claimed - most} bytes missing, at the least")
            stream.seek(offset)
            return _filled(path, claimed, _pieces(path, stream, encoding))
    except OSError as error:
        raise DataError(path, "a readable file", str(error), _ABSENT) from error


def _filled(path: Path, claimed: int, pieces: Iterator[bytes]) -> NDArray[np.uint8]:
    """Return the pieces in a row, which are to be as many bytes as claimed."""
    data = np.empty(claimed, np.uint8)  # takes no memory before it is written to
    filled = 0
    for piece in pieces:
        if filled + len(piece) > claimed:
            _refuse_length(path, claimed, f"{filled + len(piece) - claimed} bytes too many, at the least")
        data[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    if filled < claimed:
        _refuse_length(path, claimed, f"{claimed - filled} bytes missing")
    return data


def _refuse_length(path: Path, claimed: int, found: str) -> NoReturn:
    raise DataError(path, f"{claimed} bytes of voxels, as the header says", found, _TRUNCATED)


def _pieces(path: Path, stream: BinaryIO, encoding: Encoding) -> Iterator[bytes]:
    """Return the voxels in pieces."""
    if encoding == "raw":
        return iter(partial(stream.read, _PIECE), b"")
    return inflated(path, stream) if encoding == "gzip" else _decoded(path, stream, encoding)


def _decoded(path: Path, stream: BinaryIO, encoding: Encoding) -> Iterator[bytes]:
    """Yield the content of one stream; its end is reached only when all of it is intact and nothing follows."""
    decoder = bz2.BZ2Decompressor() if encoding == "bzip2" else zlib.decompressobj(_ZLIB_OR_GZIP)
    piece, hungry = b"", True
    while not decoder.eof:
        if hungry and not (piece := stream.read(_PIECE)):
            raise DataError(path, f"a whole {encoding} stream", "its end is missing", _TRUNCATED)
        try:
            content = decoder.decompress(piece, _PIECE)
        except (zlib.error, OSError) as error:
            raise DataError(path, f"an undamaged {encoding} stream", str(error), _TRUNCATED) from error
        # what is left of a piece is kept by the one decoder, and handed back by the other
        piece = b"" if isinstance(decoder, bz2.BZ2Decompressor) else decoder.unconsumed_tail
        hungry = decoder.needs_input if isinstance(decoder, bz2.BZ2Decompressor) else not piece
        yield content
    if decoder.unused_data or stream.read(1):
        raise DataError(path, f"one {encoding} stream and nothing after it", "more bytes", _TRUNCATED)
