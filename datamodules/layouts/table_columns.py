"""The columns of a table of cases: which are known, and what they say of images and labels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from datamodules.formats.errors import DataError

SINGLE = ("image", "label", "id", "group", "split", "series")
_IMAGE, _MASK, _SERIES = "image_", "mask_", "series_"
_EXAMPLE = "image,label,group"


@dataclass(frozen=True)
class Columns:
    """What the header says.

    Args:
        images: Columns of the channels, in their order.
        channel_names: Names of the channels; none where they are numbered.
        masks: Columns of the mask files, one for each structure.
        structures: Names of these structures.
        series: For each channel the column of its DICOM series, where there is one.
        others: Columns of `SINGLE` that are there.
    """

    images: tuple[str, ...]
    channel_names: tuple[str, ...]
    masks: tuple[str, ...]
    structures: tuple[str, ...]
    series: tuple[str | None, ...]
    others: frozenset[str]


def is_known(name: str) -> bool:
    """Tell whether a column can have that name."""
    return name in SINGLE or any(name.startswith(start) and name != start for start in (_IMAGE, _MASK, _SERIES))


def read_columns(path: Path, names: Sequence[str]) -> Columns:
    """Sort out the header of a table.

    Raises:
        DataError: If a column is not known, there is no image, both a label and masks or neither, or channels are
            not numbered from 0.
    """
    if unknown := [name for name in names if not is_known(name)]:
        nearest = get_close_matches(unknown[0], [*SINGLE, "image_0", "mask_NAME"], n=1, cutoff=0.0)[0]
        raise DataError(
            path,
            expected=f"the columns {', '.join(SINGLE)}, image_CHANNEL, series_CHANNEL or mask_STRUCTURE",
            found=", ".join(map(repr, unknown)),
            remedy=f"rename or remove it; the nearest to {unknown[0]!r} is {nearest!r}",
        )
    channels = [name for name in names if name.startswith(_IMAGE)]
    masks = tuple(name for name in names if name.startswith(_MASK))
    if ("image" in names) == bool(channels):
        remedy = "name the images' column, such as in the header " + _EXAMPLE
        raise DataError(path, "a column image, or several image_CHANNEL", ", ".join(names), remedy)
    if ("label" in names) == bool(masks):
        remedy = "name the label files' column label, or those of one mask file per structure mask_STRUCTURE"
        raise DataError(path, "a column label, or mask_STRUCTURE for each structure", ", ".join(names), remedy)
    keys = [name.removeprefix(_IMAGE) for name in channels]
    if any(re.fullmatch(r"\d+", key) for key in keys):
        channels, keys = _numbered(path, channels), []
    images = ("image",) if "image" in names else tuple(channels)
    return Columns(
        images=images,
        channel_names=tuple(keys),
        masks=masks,
        structures=tuple(name.removeprefix(_MASK) for name in masks),
        series=_series(path, names, images),
        others=frozenset(names) & frozenset(SINGLE),
    )


def _numbered(path: Path, channels: Sequence[str]) -> list[str]:
    """Return the columns image_0, image_1, ... in the order of their numbers."""
    numbers = {name: name.removeprefix(_IMAGE) for name in channels}
    ordered = sorted(channels, key=lambda name: (not numbers[name].isdigit(), numbers[name].zfill(9)))
    if [numbers[name] for name in ordered] != [str(number) for number in range(len(ordered))]:
        remedy = "number the channels without gaps, or name all of them"
        raise DataError(path, f"the columns image_0 to image_{len(ordered) - 1}", ", ".join(channels), remedy)
    return ordered


def _series(path: Path, names: Sequence[str], images: Sequence[str]) -> tuple[str | None, ...]:
    """Return the column of the series of each image: series_T1 of image_T1, else `series`."""
    own = [_SERIES + image.removeprefix(_IMAGE) for image in images]
    if spare := [name for name in names if name.startswith(_SERIES) and name not in own]:
        remedy = "name each column of series as that of its image: series_T1 for image_T1"
        raise DataError(path, "a column of images for each of series", ", ".join(spare), remedy)
    shared = "series" if "series" in names else None
    return tuple(name if name in names else shared for name in own)
