"""DICOM files read with care: what looks like one, its data set, and one error for whatever is wrong with it."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from datamodules.formats.dicom.privacy import keep_values_quiet
from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = (".dcm", ".dicom", ".ima")
DAMAGED = "export or fetch the file again: it is damaged or was cut short"
LARGEST_INFLATED = 1 << 30  # bytes; a deflated data set says nowhere how large it becomes
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)  # float, double and integer pixel data
_UNDEFINED = 0xFFFFFFFF  # the length of an element that ends with a delimiter
_MAGIC_OFFSET = 128
# the first element of a data set without a preamble: group 0002 or 0008, little or big endian
_FIRST_TAGS = (b"\x08\x00", b"\x02\x00", b"\x00\x08")
_LONGEST_FIRST = 256  # bytes; other binary files begin with a small number too, but not with two
_FIRST_ELEMENTS = (0x00, 0x01, 0x05, 0x08, 0x12, 0x13, 0x14, 0x16, 0x18)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong inside into a DataError that names the file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # pydicom raises nearly every class of error on damaged bytes
        found = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise DataError(path, "a readable DICOM file", found, DAMAGED) from error


def has_suffix(path: Path) -> bool:
    """Tell whether the name ends as those of DICOM files do."""
    return path.suffix.lower() in SUFFIXES


def looks_like_dicom(path: Path) -> bool:
    """Tell by its name, its preamble or its first element whether a file means to be DICOM."""
    if has_suffix(path):
        return True
    with path.open("rb") as stream:
        start = stream.read(_MAGIC_OFFSET + 4)
    return start[_MAGIC_OFFSET:] == b"DICM" or _starts_with_element(start)


def read_header(path: Path) -> Dataset:
    """Read the data set up to its pixels, with its file meta information.

    Raises:
        DataError: The file cannot be parsed, or is cut short before its pixels.
    """
    return _read(path, pixels=False)


def read_whole(path: Path) -> Dataset:
    """Read the data set with its pixel data, still encoded.

    Raises:
        DataError: The file cannot be parsed, or is cut short.
    """
    return _read(path, pixels=True)


class _Bounded(io.BufferedReader):
    """Read no more than the file holds: a length from a damaged header would be allocated first."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self._size = os.fstat(raw.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most size bytes."""
        return super().read(size if size is None or size < 0 else min(size, max(self._size - self.tell(), 0)))


def _read(path: Path, *, pixels: bool) -> Dataset:
    """Parse a file, with or without its pixels."""
    from pydicom.filereader import read_partial

    keep_values_quiet()
    stop = None if pixels else _at_pixels
    with naming(path), _Bounded(io.FileIO(path)) as stream:
        if not _starts_as_dicom(stream):
            found = "bytes that begin as no DICOM file does"
            raise DataError(path, "a DICOM file", found, "remove it from the folder, or fetch it again")
        dataset = _inflated(path, stream, stop) or read_partial(stream, stop_when=stop, force=True)
        _refuse_cut_values(path, dataset)
        return dataset


def _at_pixels(tag: int, _vr: str | None, _length: int) -> bool:
    """Tell whether an element is one of pixels."""
    return tag in _PIXELS


def _refuse_cut_values(path: Path, dataset: Dataset) -> None:
    """Refuse an element that is shorter than it says, which pydicom takes as it comes."""
    for element in dataset.values():
        length = getattr(element, "length", _UNDEFINED)
        size = len(getattr(element, "value", b"") or b"") if length != _UNDEFINED else 0
        if length != _UNDEFINED and size != length:
            expected = f"{length} bytes in element {element.tag}"
            raise DataError(path, expected, f"{size} bytes to the end of the file", DAMAGED)


def _starts_as_dicom(stream: BinaryIO) -> bool:
    """Tell by its first bytes whether a stream is DICOM, and wind it back."""
    start = stream.read(_MAGIC_OFFSET + 4)
    stream.seek(0)
    return start[_MAGIC_OFFSET:] == b"DICM" or _starts_with_element(start)


def _starts_with_element(start: bytes) -> bool:
    """Tell whether a file without preamble begins with an element of group 0002 or 0008."""
    if len(start) < 8 or start[:2] not in _FIRST_TAGS:
        return False
    low, high = sorted(start[2:4])  # in either byte order
    is_explicit = start[4:6].isalpha() and start[4:6].isupper()
    length = min(int.from_bytes(start[4:8], "little"), int.from_bytes(start[4:8], "big"))
    return low == 0 and high in _FIRST_ELEMENTS and (is_explicit or length <= _LONGEST_FIRST)


def _inflated(path: Path, stream: BinaryIO, stop: Callable[[int, str | None, int], bool] | None) -> Dataset | None:
    """Return the data set of a deflated file, inflated within a bound; None, and the stream wound back, else."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.filereader import read_dataset, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    preamble = read_preamble(stream, force=True)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        stream.seek(0)
        return None
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(stream.read(), LARGEST_INFLATED)
    if not inflater.eof:
        found = f"{len(data)} bytes and no end of the deflated stream"
        raise DataError(path, f"a whole data set of at most {LARGEST_INFLATED >> 20} MiB", found, DAMAGED)
    body = read_dataset(io.BytesIO(data), False, True, stop_when=stop)
    return FileDataset(str(path), body, preamble, FileMetaDataset(meta), False, True)
