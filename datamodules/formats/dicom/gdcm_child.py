"""The child of guard.py: decodes frames from its standard input by GDCM until the input ends.

Run by its path; it imports nothing of this package.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import BinaryIO

_REQUEST = "<40s6I"  # as in guard.py
_SPARE_BYTES = 1 << 30  # address space beside the frame: the interpreter and the libraries


def main() -> None:
    """Answer each request with the length and the bytes of a decoded frame, length 0 for one that is refused."""
    # gdcm prints to standard output; answers keep the pipe for themselves
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        while len(head := sys.stdin.buffer.read(struct.calcsize(_REQUEST))) == struct.calcsize(_REQUEST):
            syntax, rows, columns, allocated, stored, signed, size = struct.unpack(_REQUEST, head)
            _limit_memory(_SPARE_BYTES + 16 * rows * columns)
            frame = sys.stdin.buffer.read(size)
            _answer(
                answers, decode(frame, syntax.rstrip(b"\0").decode("ascii"), rows, columns, allocated, stored, signed)
            )


def decode(frame: bytes, syntax: str, rows: int, columns: int, allocated: int, stored: int, signed: int) -> bytes:
    """Return the frame's numbers, little endian, row by row; nothing where GDCM refuses it."""
    import gdcm  # type: ignore[import-untyped,import-not-found,unused-ignore]

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, stored, stored - 1, signed))
    text = image.GetBuffer()  # bytes as text, the way of its wrapper; None for a refusal
    return text.encode("utf-8", "surrogateescape") if text else b""


def _limit_memory(size: int) -> None:
    """Bound the address space, where the system can."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _answer(answers: BinaryIO, data: bytes) -> None:
    """Write the length and the bytes."""
    answers.write(struct.pack("<Q", len(data)) + data)
    answers.flush()


if __name__ == "__main__":
    main()
