"""Segmentations of 3D Slicer in NRRD: which layer and value each segment has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.itk_text import counts, shown

_KEY = re.compile(r"Segment(\d{1,6})_(LabelValue|Layer)", re.ASCII)
_REMEDY = "export the segmentation again from 3D Slicer"


@dataclass(frozen=True)
class Segment:
    """Hold the place of one segment.

    Args:
        layer: Which part of the list holds it.
        value: Its voxels there.
    """

    layer: int
    value: int


def segments_of(path: Path, keys: dict[str, str]) -> list[Segment]:
    """Return the segments that the keys describe, in the order of their numbers; none in a file of another kind.

    Raises:
        DataError: A segment lacks its layer or value.
    """
    numbers: dict[int, dict[str, int]] = {}
    for key, text in keys.items():
        if match := _KEY.fullmatch(key):
            numbers.setdefault(int(match[1]), {})[match[2]] = counts(path, key, text, 1)[0]
    for number, found in numbers.items():
        if set(found) != {"LabelValue", "Layer"}:
            expected = f"a layer and a value of segment {number}"
            raise DataError(path, expected, f"only {', '.join(found)}", _REMEDY)
    return [Segment(found["Layer"], found["LabelValue"]) for _, found in sorted(numbers.items())]


def masks_of_layers(path: Path, layers: NDArray[Any], segments: list[Segment]) -> NDArray[np.uint8]:
    """Return one mask per segment, [K, X, Y, Z] of 0 and 1.

    Args:
        path: The file, for messages.
        layers: Values [L, X, Y, Z].
        segments: All segments of the file.

    Raises:
        DataError: Two segments are the same voxels, a layer is missing, or a value is 0 or that of no segment.
    """
    possible = all(segment.layer < len(layers) and segment.value > 0 for segment in segments)
    if len(set(segments)) != len(segments) or not possible:
        found = f"{shown(str(segments))} in {len(layers)} layers"
        raise DataError(path, "a layer and a value for every segment, each its own", found, _REMEDY)
    for index, layer in enumerate(layers):
        known = [0, *(segment.value for segment in segments if segment.layer == index)]
        if not (declared := np.isin(layer, known)).all():
            values = np.unique(layer[~declared])[:5].tolist()
            raise DataError(path, f"values {shown(str(known))} in layer {index}", f"values such as {values}", _REMEDY)
    return np.stack([(layers[segment.layer] == segment.value).astype(np.uint8) for segment in segments])
