"""MetaImage files (.mha, .mhd): read to the last byte before anything is trusted, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats import itk
from datamodules.formats.base import ReadOptions, is_named
from datamodules.formats.itk_writing import write
from datamodules.formats.metaimage_header import parse
from datamodules.formats.volume import Volume

name = "MetaImage"
suffixes = (".mha", ".mhd")


def claims(path: Path, _: ReadOptions) -> bool:
    """Tell by its name whether a file is a MetaImage."""
    return is_named(path, suffixes) and not path.is_dir()


def read(path: Path, options: ReadOptions) -> Volume:
    """Read a volume to float32.

    Returns:
        A volume [1, X, Y, Z], or [C, X, Y, Z] of all channels where `options.all_volumes` is set.

    Raises:
        DataError: The file is damaged or cannot be true, or holds several channels and none was chosen.
    """
    return itk.read(parse(path, strict=options.strict), options)


def read_labels(path: Path, options: ReadOptions) -> Volume:
    """Read labels to an integer type: channels are overlapping structures.

    Raises:
        DataError: The file is damaged or cannot be true, or a value is not an integer.
    """
    return itk.read_labels(parse(path, strict=options.strict))


def stored_shape(path: Path) -> tuple[int, ...]:
    """Return the spatial shape that the header states, followed by the channels where there are several.

    Raises:
        DataError: The header cannot be true.
    """
    return parse(path, strict=None).shape


def files(path: Path, _: ReadOptions) -> list[Path]:
    """Return the file, and the voxels' file where that is another.

    Raises:
        DataError: The header cannot be true.
    """
    return parse(path, strict=None).files


def write_labels(
    path: Path, array: NDArray[Any], affine: NDArray[np.float64], shape: tuple[int, ...] | None = None
) -> None:
    """Write a label map [X, Y, Z], or structures [K, X, Y, Z] as channels, compressed.

    Raises:
        DataError: The name asks for a header apart from its voxels.
    """
    write(path, array, affine, shape, "MetaImageIO")


def write_scores(path: Path, array: NDArray[np.float32], affine: NDArray[np.float64]) -> None:
    """Write scores [K, X, Y, Z] as channels, compressed.

    Raises:
        DataError: The name asks for a header apart from its voxels.
    """
    write(path, array, affine, None, "MetaImageIO")
