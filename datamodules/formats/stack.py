"""Images that are the slices of a volume: a TIFF of several pages, or a folder of PNG, TIFF or BMP files.

The first axis is the column, the second the row, the third the slice, as for a single image. Images say nothing of the
patient: the affine is diag(spacing), as if columns went to the right, rows to the front and slices upwards. All that
is sure is that image and mask lie alike; a network trained on such volumes has to be given such volumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.formats import image
from datamodules.formats.atomic import write_atomically
from datamodules.formats.base import ReadOptions, is_named
from datamodules.formats.errors import DataError
from datamodules.formats.label_values import grey_labels
from datamodules.formats.slices import slice_files
from datamodules.formats.stated_spacing import (
    FOLDER_FILE,
    REMEDY,
    diagonal,
    spacing_file,
    stated_spacing,
    write_spacing,
)
from datamodules.formats.volume import AFFINE_TOLERANCE, Volume

name = "stack of images"
suffixes = (".tif", ".tiff")
_DEFLATE = [cv2.IMWRITE_TIFF_COMPRESSION, 8]  # it carries checksums


def claims(path: Path, options: ReadOptions) -> bool:
    """Tell whether this is a TIFF, or a folder with images, whose spacing is stated.

    A page that is chosen by `options.volume_index` is an image, not a stack.

    Raises:
        DataError: A file beside the TIFF that may state its spacing is no JSON.
    """
    if path.is_dir():
        stated = options.spacing_mm is not None or (path / FOLDER_FILE).is_file()
        return stated and any(is_named(entry, image.suffixes) for entry in path.iterdir() if entry.name[0] != ".")
    if not is_named(path, suffixes) or options.volume_index is not None:
        return False
    return options.spacing_mm is not None or spacing_file(path) is not None


def read(path: Path, options: ReadOptions) -> Volume:
    """Read slices to float32 [1, X, Y, Z], or [C, X, Y, Z] where they have colours.

    Raises:
        DataError: A slice is damaged, missing, or of another size or type than the first; or the spacing is absurd.
    """
    return Volume(_slices(path).astype(np.float32, copy=False), _affine(path, options), path)


def read_labels(path: Path, options: ReadOptions) -> Volume:
    """Read grey slices of label values to integers [1, X, Y, Z].

    Raises:
        DataError: As for `read`, or the slices have colours, or values that are no integers.
    """
    return Volume(grey_labels(path, _slices(path), "grey images"), _affine(path, options), path)


def stored_shape(_: Path) -> None:
    """Return None: slices are always [X, Y, Z]."""


def files(path: Path, _: ReadOptions) -> list[Path]:
    """Return the slices, and the file that states their spacing.

    Raises:
        DataError: A slice is missing.
    """
    slices = slice_files(path, image.suffixes) if path.is_dir() else [path]
    stated = spacing_file(path)
    return sorted([*slices, *([stated] if stated else [])])


def write_labels(
    path: Path, array: NDArray[Any], affine: NDArray[np.float64], shape: tuple[int, ...] | None = None
) -> None:
    """Write [X, Y, Z] as a TIFF of Z pages, with NAME.json beside it for the spacing; one slice as a plain image.

    Raises:
        DataError: The array is [K, X, Y, Z], or the affine is more than a spacing.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        image.write_labels(path, array, affine, shape)
        return
    remedy = "write NIfTI (.nii.gz) instead"
    if array.ndim != 3:
        raise DataError(path, "one label map [X, Y, Z] for a TIFF", f"shape {array.shape}", remedy)
    spacing = np.diag(affine)[:3]
    if np.abs(affine - diagonal(tuple(spacing))).max() > AFFINE_TOLERANCE or spacing.min() <= 0:
        found = f"{np.round(affine[:3], 3).tolist()}"
        raise DataError(path, "an affine of spacing alone, as a TIFF has no place for another", found, remedy)
    encoded, data = cv2.imencodemulti(".tif", [np.ascontiguousarray(page) for page in array.T], _DEFLATE)
    if not encoded:
        raise DataError(path, "pages that TIFF holds", f"{array.dtype} {array.shape}", remedy)
    write_spacing(path, (float(spacing[0]), float(spacing[1]), float(spacing[2])))
    write_atomically(path, data.tobytes())


write_scores = image.write_scores


def _affine(path: Path, options: ReadOptions) -> NDArray[np.float64]:
    spacing = stated_spacing(path, options)
    if spacing is None:
        raise DataError(path, "a stated spacing", "none", REMEDY)
    return diagonal(spacing)


def _slices(path: Path) -> NDArray[Any]:
    """Return all slices [C, X, Y, Z] in their stored type."""
    if path.is_dir():
        found = slice_files(path, image.suffixes)
        names = [file.name for file in found]
        pages: Iterator[NDArray[Any]] = (image.read_pixels(file) for file in found)
    else:
        decoded = image.read_pages(path, slices=True)
        names = [f"page {index}" for index in range(len(decoded))]
        pages = iter(decoded)
    first = next(pages)
    array = np.empty((*first.shape[:3], len(names)), first.dtype, order="F")
    array[..., :1] = first
    for index, page in enumerate(pages, start=1):
        if page.shape != first.shape or page.dtype != first.dtype:
            expected = f"slices like {names[0]}: {_kind(first)}"
            raise DataError(path, expected, f"{names[index]}: {_kind(page)}", "bring all slices to one size and type")
        array[..., index : index + 1] = page
    return array


def _kind(page: NDArray[Any]) -> str:
    channels, width, height = page.shape[:3]
    return f"{width} x {height}, {channels} channel(s) of {page.dtype}"
