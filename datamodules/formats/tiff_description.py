"""What a TIFF's description, in the tags of its first page, says of its pages: ImageJ's and OME's are known.

Both store channels and time points as pages between the slices. ImageJ writes stacks over 4 GB with a directory for the
first page alone and the others' pixels behind it (ImageJ, TiffEncoder); OME-XML stands in the same tag (OME-TIFF
specification, version 6).
"""

from __future__ import annotations

import re
from pathlib import Path

from datamodules.formats.errors import DataError

_IMAGEJ = re.compile(r"ImageJ=")
_COUNTS = re.compile(r"^(images|channels|frames)=([0-9]{1,9})\s*$", re.MULTILINE)
_PIXELS = re.compile(r"<(?:\w{1,20}:)?Pixels\b")
_SIZES = re.compile(r"\b(SizeC|SizeT)\s*=\s*[\"']([0-9]{1,9})[\"']")
_REMEDY = "save each channel and time point as a file of its own with a directory for each slice, or as NIfTI"


def check_pages(path: Path, description: str, pages: int) -> None:
    """Refuse an ImageJ file of more or fewer images than directories.

    Args:
        path: The file, for messages.
        description: The text of its first page, empty for none.
        pages: How many directories it has.

    Raises:
        DataError: See above.
    """
    images = _imagej(description).get("images", pages)
    if images != pages:
        raise DataError(path, f"{images} pages, as ImageJ's description says", f"{pages} directories", _REMEDY)


def check_slices(path: Path, description: str, channels: int) -> None:
    """Refuse a file whose pages are not all slices of one volume.

    Args:
        path: The file, for messages.
        description: The text of its first page, empty for none.
        channels: How many the first page has itself.

    Raises:
        DataError: Channels or time points stand between the slices, or there are several volumes.
    """
    imagej, (volumes, ome) = _imagej(description), _ome(description)
    found = [f"{name} {imagej[name]}" for name in ("channels", "frames") if imagej.get(name, 1) > 1]
    found += [f"{name} {ome[name]}" for name, most in (("SizeC", channels), ("SizeT", 1)) if ome.get(name, 1) > most]
    found += [f"{volumes} OME images"] if volumes > 1 else []
    if found:
        remedy = f"{_REMEDY}; --volume takes one page"
        raise DataError(path, "pages that are the slices of one volume", ", ".join(found), remedy)


def _imagej(description: str) -> dict[str, int]:
    """Return the numbers of images, channels and time points that ImageJ states."""
    if not _IMAGEJ.match(description):
        return {}
    return {name: int(count) for name, count in _COUNTS.findall(description)}


def _ome(description: str) -> tuple[int, dict[str, int]]:
    """Return how many images OME-XML describes, and the sizes of the first."""
    starts = [match.end() for match in _PIXELS.finditer(description)]
    if not starts:
        return 0, {}
    attributes = description[starts[0] :].partition(">")[0]
    return len(starts), {name: int(size) for name, size in _SIZES.findall(attributes)}
