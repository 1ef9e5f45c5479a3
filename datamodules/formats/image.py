"""2-D images (PNG, TIFF, BMP) as volumes of one slice.

PNG and TIFF with deflate carry checksums, which are tested. Uncompressed and LZW TIFF, and BMP, carry none: damage
that leaves their structure whole cannot be told from pixels. Pixels of one bit come as 0 and 255, from PNG and TIFF.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.formats import bmp, png
from datamodules.formats.atomic import write_atomically
from datamodules.formats.base import ReadOptions, is_named
from datamodules.formats.errors import DataError
from datamodules.formats.geometry import check_spacing
from datamodules.formats.label_values import grey_labels
from datamodules.formats.stated_spacing import REMEDY, diagonal
from datamodules.formats.tiff import Content, check_tiff
from datamodules.formats.tiff_description import check_slices
from datamodules.formats.tiff_forms import check_decoded
from datamodules.formats.tiff_tags import check_numbers
from datamodules.formats.volume import Volume

name = "image"
suffixes = (".png", ".tif", ".tiff", ".bmp")
_MAGIC = {".png": (png.MAGIC,), ".bmp": (bmp.MAGIC,), ".tif": (b"II", b"MM"), ".tiff": (b"II", b"MM")}
_REMEDY = "fetch or export the file again: it was cut short, damaged, or is another format"


def claims(path: Path, _: ReadOptions) -> bool:
    """Tell by its name whether a file is an image."""
    return is_named(path, suffixes) and not path.is_dir()


def read(path: Path, options: ReadOptions) -> Volume:
    """Read an image, or a page of a TIFF, to float32 [C, X, Y, 1]; the affine is that of the stated spacing, if any.

    Raises:
        DataError: As `read_pixels` does.
    """
    return Volume(read_pixels(path, options.volume_index).astype(np.float32), _affine(path, options), path)


def read_labels(path: Path, options: ReadOptions) -> Volume:
    """Read a grey image of label values to integers [1, X, Y, 1].

    Raises:
        DataError: As `read_pixels` does, or the image has colours, or values that are no integers.
    """
    array = grey_labels(path, read_pixels(path, options.volume_index), "a grey image")
    return Volume(array, _affine(path, options), path)


def stored_shape(_: Path) -> None:
    """Return None: an image is two-dimensional."""


def files(path: Path, _: ReadOptions) -> list[Path]:
    """Return the file itself."""
    return [path]


def write_scores(path: Path, _array: NDArray[np.float32], _affine: NDArray[np.float64]) -> None:
    """Refuse, as an image file cannot hold scores.

    Raises:
        DataError: Always.
    """
    raise DataError(path, "a NIfTI name for scores", path.name, "write scores to a .nii.gz file")


def read_pixels(path: Path, page: int | None = None) -> NDArray[Any]:
    """Read an image as [C, X = column, Y = row, 1]; colour comes as RGB.

    Args:
        path: A PNG, TIFF or BMP file.
        page: Which page of a TIFF of several.

    Raises:
        DataError: As `read_pages` does; or there are several pages and none was chosen, or not the chosen one.
    """
    pages = read_pages(path)
    if page is None and len(pages) > 1:
        remedy = f"choose one with --volume 0 to {len(pages) - 1}, or if they are the slices of a volume {REMEDY}"
        raise DataError(path, "one image, or a stack with stated spacing", f"{len(pages)} pages", remedy)
    if page is not None and not 0 <= page < len(pages):
        raise DataError(path, f"--volume from 0 to {len(pages) - 1}", f"--volume {page}", "choose one that exists")
    return pages[page or 0]


def read_pages(path: Path, *, slices: bool = False) -> list[NDArray[Any]]:
    """Read all pages of an image file, each as [C, X = column, Y = row, 1].

    Args:
        path: A PNG, TIFF or BMP file.
        slices: Whether the pages are to be the slices of one volume.

    Raises:
        DataError: The file cannot be decoded to its end, fails a checksum, or is a TIFF that is to be turned before
            it is shown, or of a kind that would be decoded wrongly; or channels or time points, by its description,
            stand between the slices.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(path, "a readable file", str(error), "restore it, or check its name") from error
    if not data.startswith(_MAGIC[path.suffix.lower()]):
        raise DataError(path, f"a {path.suffix} image", f"bytes that begin with {data[:12]!r}", _REMEDY)
    content = _check(path, data)
    try:
        decoded, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DataError(path, "an image that decodes", str(error), _REMEDY) from error
    count = len(content.forms) if content else 1
    if not decoded or len(pages) != count:
        found = f"{len(data)} bytes of which {len(pages)} pages do"
        raise DataError(path, "an image that decodes" if count == 1 else f"{count} pages that decode", found, _REMEDY)
    if content:
        for page, form in zip(pages, content.forms, strict=True):
            check_decoded(path, page, form)
            check_numbers(path, page)
        if slices:
            check_slices(path, content.description, 1 if pages[0].ndim == 2 else pages[0].shape[2])
    return [_to_channels(page) for page in pages]


def write_labels(
    path: Path, array: NDArray[Any], _affine: NDArray[np.float64], _shape: tuple[int, ...] | None = None
) -> None:
    """Write one slice [X = column, Y = row, 1] losslessly and atomically.

    Args:
        path: A PNG, TIFF or BMP file in a folder that exists.
        array: uint8 voxels, or uint16 ones where the format holds them.

    Raises:
        DataError: The array has several slices, or values that the format cannot hold.
    """
    if array.ndim != 3 or array.shape[2] != 1:
        remedy = "write NIfTI (.nii.gz) instead"
        raise DataError(path, "one slice [X, Y, 1] for an image file", f"shape {array.shape}", remedy)
    if path.suffix.lower() == ".bmp" and array.dtype != np.uint8:
        raise DataError(path, "8-bit values for BMP", f"{array.dtype}", "write PNG instead")
    encoded, data = cv2.imencode(path.suffix, np.ascontiguousarray(array[:, :, 0].T))
    if not encoded:
        raise DataError(path, "values that the format holds", f"{array.dtype}", "write PNG instead")
    write_atomically(path, data.tobytes())


def _check(path: Path, data: bytes) -> Content | None:
    """Refuse a damaged file, and return what it promises if it is a TIFF."""
    if data.startswith(png.MAGIC):
        png.check_png(path, data)
    elif is_named(path, (".tif", ".tiff")):
        return check_tiff(path, data)
    else:
        bmp.check_bmp(path, data)
    return None


def _affine(path: Path, options: ReadOptions) -> NDArray[np.float64]:
    if options.spacing_mm is None:
        return np.eye(4)
    check_spacing(path, list(options.spacing_mm), "stated spacing")
    return diagonal(options.spacing_mm)


def _to_channels(image: NDArray[Any]) -> NDArray[Any]:
    """Turn OpenCV's [row, column] or [row, column, BGR(A)] into [C, X, Y, 1]."""
    if image.ndim == 2:
        return image.T[None, :, :, None]
    channels = [2, 1, 0, 3][: image.shape[2]] if image.shape[2] >= 3 else list(range(image.shape[2]))
    return image[:, :, channels].transpose(2, 1, 0)[..., None]
