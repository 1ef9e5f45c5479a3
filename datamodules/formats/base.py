"""What every format of volumes can do: the interface that a module of this package implements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.volume import Volume


@dataclass(frozen=True)
class ReadOptions:
    """How a volume is to be read. A format takes what it knows and passes over the rest.

    Args:
        strict: Refuse doubtful geometry instead of warning of it.
        volume_index: Which volume of a 4-D file, or page of a TIFF.
        all_volumes: Take every volume of a 4-D file as a channel.
        series: Which DICOM series of a folder, by its SeriesInstanceUID or its number.
        spacing_mm: Stated spacing along X, Y and Z of images, which carry none: stacks and folders of slices.

    Raises:
        ValueError: A spacing is not above 0, or one volume and all of them are asked for.
    """

    strict: bool = False
    volume_index: int | None = None
    all_volumes: bool = False
    series: str | None = None
    spacing_mm: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.volume_index is not None and self.all_volumes:
            raise ValueError(f"expected one volume or all, found volume_index {self.volume_index} and all_volumes")
        spacing = self.spacing_mm
        if spacing is not None and not (len(spacing) == 3 and all(0 < size < math.inf for size in spacing)):
            raise ValueError(f"expected a spacing of three numbers above 0, in mm, found {spacing}")


def is_named(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Tell whether a file's name ends in one of some lower-case suffixes, whatever its case, and is more than that."""
    name = path.name.lower()
    return any(name.endswith(suffix) and name != suffix for suffix in suffixes)


class VolumeFormat(Protocol):
    """Read and write one format; implemented by a module, whose functions these are.

    Reading takes everything that the voxels and their geometry come from to its end, and raises DataError for what is
    damaged or cannot be true, before memory is taken for it. Writing is atomic. Heavy libraries are imported inside
    the functions: all formats are imported at every start.
    """

    @property
    def name(self) -> str:
        """Name the format in messages, such as "NIfTI"."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Return the endings of its files' names in lower case; none where it has folders alone."""

    def claims(self, path: Path, options: ReadOptions, /) -> bool:
        """Tell by the name and at most a few bytes whether this file or folder is one volume of the format."""

    def read(self, path: Path, options: ReadOptions, /) -> Volume:
        """Read float32 voxels [C, X, Y, Z]; with `options.all_volumes` each volume of a 4-D file is a channel."""

    def read_labels(self, path: Path, options: ReadOptions, /) -> Volume:
        """Read integers [1, X, Y, Z], or [K, X, Y, Z] of overlapping structures."""

    def stored_shape(self, path: Path, /) -> tuple[int, ...] | None:
        """Return the shape that the header states, None where a label map has no need of it."""

    def files(self, path: Path, options: ReadOptions, /) -> list[Path]:
        """Return all files that voxels and geometry come from, sorted."""

    def write_labels(
        self, path: Path, array: NDArray[Any], affine: NDArray[np.float64], shape: tuple[int, ...] | None, /
    ) -> None:
        """Write uint8 or uint16 [X, Y, Z], in the stored `shape` of its image where that is the same, or [K, X, Y, Z].

        Raises:
            DataError: The format cannot hold them.
        """

    def write_scores(self, path: Path, array: NDArray[np.float32], affine: NDArray[np.float64], /) -> None:
        """Write scores [K, X, Y, Z].

        Raises:
            DataError: The format cannot hold them.
        """
