"""NRRD files (.nrrd, .nhdr, .seg.nrrd): read to the last byte before anything is trusted, written whole or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats import itk
from datamodules.formats.base import ReadOptions, is_named
from datamodules.formats.itk_writing import write
from datamodules.formats.nrrd_header import parse
from datamodules.formats.nrrd_segments import masks_of_layers, segments_of
from datamodules.formats.volume import Volume

name = "NRRD"
suffixes = (".seg.nrrd", ".nrrd", ".nhdr")


def claims(path: Path, _: ReadOptions) -> bool:
    """Tell by its name whether a file is NRRD."""
    return is_named(path, suffixes) and not path.is_dir()


def read(path: Path, options: ReadOptions) -> Volume:
    """Read a volume to float32.

    Returns:
        A volume [1, X, Y, Z], or [C, X, Y, Z] of all of a list's or vector's parts where `options.all_volumes` is set.

    Raises:
        DataError: The file is damaged or cannot be true, or holds several volumes and none was chosen.
    """
    return itk.read(parse(path, strict=options.strict)[0], options)


def read_labels(path: Path, options: ReadOptions) -> Volume:
    """Read labels to an integer type: the parts of a list or vector are overlapping structures.

    A segmentation of 3D Slicer keeps the values of its segments. Where these overlap, and so lie in several layers,
    each segment becomes a mask of 0 and 1, in the order of the segments.

    Raises:
        DataError: The file is damaged or cannot be true, or a value is not an integer, or is that of no segment.
    """
    header, keys = parse(path, strict=options.strict)
    labels = itk.read_labels(header)
    if len(labels.array) > 1 and (segments := segments_of(path, keys)):
        return Volume(masks_of_layers(path, labels.array, segments), labels.affine, path)
    return labels


def stored_shape(path: Path) -> tuple[int, ...]:
    """Return the spatial shape that the header states, followed by volumes or parts where there are several.

    Raises:
        DataError: The header cannot be true.
    """
    return parse(path, strict=None)[0].shape


def files(path: Path, _: ReadOptions) -> list[Path]:
    """Return the file, and the voxels' file where that is another.

    Raises:
        DataError: The header cannot be true.
    """
    return parse(path, strict=None)[0].files


def write_labels(
    path: Path, array: NDArray[Any], affine: NDArray[np.float64], shape: tuple[int, ...] | None = None
) -> None:
    """Write a label map [X, Y, Z], or structures [K, X, Y, Z] as vectors, compressed.

    Raises:
        DataError: The name asks for a header apart from its voxels.
    """
    write(path, array, affine, shape, "NrrdImageIO")


def write_scores(path: Path, array: NDArray[np.float32], affine: NDArray[np.float64]) -> None:
    """Write scores [K, X, Y, Z] as vectors, compressed.

    Raises:
        DataError: The name asks for a header apart from its voxels.
    """
    write(path, array, affine, None, "NrrdImageIO")
