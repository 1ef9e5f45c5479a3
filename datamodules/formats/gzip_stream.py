"""Gzip streams, inflated piece by piece so that a reader can stop at the size it expects (RFC 1952)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from datamodules.formats.errors import DataError

MAXIMUM_RATIO = 1032  # of deflate: a match of 258 bytes takes two bits at least (RFC 1951)
MAGIC = b"\x1f\x8b"
_WITH_GZIP_HEADER = 31  # window bits of zlib that test header, checksum and length
_LEAST, _MOST = 1 << 9, 1 << 20  # bytes read at once, growing within a member: a file may be many tiny ones
_REMEDY = "fetch or export the file again: it was cut short or damaged"


def inflated(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a gzip file in pieces of at most 1 MiB; its end is reached only when all of it is intact.

    Members may follow each other, and zeros the last one, as tapes and block-wise compressors leave them.

    Args:
        path: The file, for messages.
        stream: It, open and seekable.

    Raises:
        DataError: The bytes are no gzip, end early, or fail a checksum.
    """
    decoder, piece, size = zlib.decompressobj(_WITH_GZIP_HEADER), b"", _LEAST
    while True:
        if not piece:
            piece = stream.read(size)
            size = min(2 * size, _MOST)
            if not piece:
                raise DataError(path, "a whole gzip stream", "its end is missing", _REMEDY)
        try:
            content = decoder.decompress(piece, _MOST)
        except zlib.error as error:
            raise DataError(path, "an undamaged gzip stream", str(error), _REMEDY) from error
        if content:
            yield content
        piece = decoder.unconsumed_tail
        if decoder.eof:
            stream.seek(-len(decoder.unused_data), 1)
            if not (piece := _next_member(stream)):
                return
            decoder, size = zlib.decompressobj(_WITH_GZIP_HEADER), _LEAST


def _next_member(stream: BinaryIO) -> bytes:
    """Return some bytes from the start of the next member, none where only zeros are left."""
    while piece := stream.read(_LEAST):
        if piece := piece.lstrip(b"\0"):
            return piece
    return b""
