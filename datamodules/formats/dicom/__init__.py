"""DICOM series of CT and MR: folders of slices, and files of many frames, read as one volume each."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom import headers
from datamodules.formats.dicom.decoders import PIXELS_PER_BYTE
from datamodules.formats.dicom.frames import Slice
from datamodules.formats.dicom.geometry import affine_of, order_slices
from datamodules.formats.dicom.guard import Guard
from datamodules.formats.dicom.headers import DAMAGED, looks_like_dicom, read_header
from datamodules.formats.dicom.parts import Part
from datamodules.formats.dicom.pixels import stored_frames
from datamodules.formats.dicom.series import Series, choose_series, find_series, listing
from datamodules.formats.dicom.stored_numbers import check_numbers
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume, stack_channels

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = [
    "Series",
    "SourceSlices",
    "claims",
    "files",
    "find_series",
    "name",
    "read",
    "read_labels",
    "source_slices",
    "stored_shape",
    "suffixes",
    "write_labels",
    "write_scores",
]

logger = logging.getLogger(__name__)

name = "DICOM"
suffixes = headers.SUFFIXES
_PLAIN_VOXELS = 1 << 28  # 1 GiB of float32; more only where the files have the bytes for it
_THREADS = 4  # decoders and file reads let other threads run
_WRITING = "write NIfTI, NRRD or DICOM-SEG: `pipeline predict --format`"


@dataclass(frozen=True)
class SourceSlices:
    """Hold the headers that a volume came from, for objects that refer to them.

    Args:
        headers: Data sets without pixels, in the order of the volume's third axis; one for a file of many frames.
        frame_numbers: Per slice the frame of the file, counted from 1; None where each slice is a file.
    """

    headers: list[Dataset]
    frame_numbers: list[int] | None


def claims(path: Path, options: ReadOptions) -> bool:
    """Tell whether a file, or a file that a folder directly holds, is DICOM by its suffix or its first bytes."""
    del options
    if path.is_dir():
        with os.scandir(path) as entries:
            found = [Path(entry) for entry in entries if not entry.name.startswith(".") and entry.is_file()]
        return any(map(headers.has_suffix, found)) or any(map(looks_like_dicom, found))
    return path.is_file() and looks_like_dicom(path)


def read(path: Path, options: ReadOptions) -> Volume:
    """Read one series to float32 intensities: HU for CT.

    Slices are sorted by their position; slope and intercept are applied slice by slice. MONOCHROME1, which asks for
    an inverted display, and padding outside the field of view leave the numbers as they are and are told by log.

    Args:
        path: A folder of a series, at any depth, or a file.
        options: `series` chooses among several, `volume_index` among the parts of a 4-D one.

    Returns:
        A volume [1, X = column, Y = row, Z = slice], or [C, X, Y, Z] of all parts with `all_volumes`.

    Raises:
        DataError: Files are damaged or cannot be decoded; several series or parts and none chosen; slices are
            missing, doubled or without a place in the patient.
    """
    series, parts = _chosen(path, options)
    return stack_channels([_volume(path, part, series.modality) for part in parts])


def read_labels(path: Path, options: ReadOptions) -> Volume:
    """Refuse: a DICOM-SEG numbers its segments anew, and stores no empty slices."""
    del options
    remedy = "name a NIfTI file: `pipeline predict` writes one beside each DICOM-SEG, other tools convert to it"
    raise DataError(path, "a format of label files", "DICOM", remedy)


def stored_shape(path: Path) -> tuple[int, ...] | None:
    """Return None: a label map of a series is always [X, Y, Z]."""
    del path
    return None


def files(path: Path, options: ReadOptions) -> list[Path]:
    """Return the files of the chosen series, sorted: those of one part, or of all parts where none is chosen.

    Raises:
        DataError: As of read, but for the pixels.
    """
    any_part = options.volume_index is None
    _, parts = _chosen(path, dataclasses.replace(options, all_volumes=True) if any_part else options)
    return sorted({one.path for part in parts for one in part.slices})


def source_slices(path: Path, options: ReadOptions) -> SourceSlices:
    """Read the headers of the slices that read takes its voxels from.

    Raises:
        DataError: As of read, but for the pixels.
    """
    _, parts = _chosen(path, options)
    slices = order_slices(parts[0].slices)
    affine_of(slices)
    paths = list(dict.fromkeys(one.path for one in slices))
    several = len(paths) < len(slices) or any(one.frame for one in slices)
    return SourceSlices([read_header(one) for one in paths], [one.frame + 1 for one in slices] if several else None)


def write_labels(path: Path, array: NDArray[Any], affine: NDArray[np.float64], shape: tuple[int, ...] | None) -> None:
    """Refuse: a DICOM-SEG refers to its source images, which are not known here."""
    del array, affine, shape
    raise DataError(path, "a format of label files", "a DICOM name", _WRITING)


def write_scores(path: Path, array: NDArray[np.float32], affine: NDArray[np.float64]) -> None:
    """Refuse: there is no DICOM object of scores that others read."""
    del array, affine
    raise DataError(path, "a format of score files", "a DICOM name", "write scores to a .nii.gz file")


def _chosen(path: Path, options: ReadOptions) -> tuple[Series, list[Part]]:
    """Return the series, and its one part or, with all_volumes, all of them."""
    series, parts = choose_series(path, options.series)
    if options.all_volumes or (len(parts) == 1 and options.volume_index is None):
        return series, parts
    listed = listing([f"{index}: {part}" for index, part in enumerate(parts)])
    if options.volume_index is None:
        raise DataError(path, "a series that is one volume", listed, f"choose one with --volume 0 to {len(parts) - 1}")
    if not 0 <= options.volume_index < len(parts):
        found = f"--volume {options.volume_index} of {listed}"
        raise DataError(path, f"--volume from 0 to {len(parts) - 1}", found, "choose one that exists")
    return series, [parts[options.volume_index]]


def _volume(path: Path, part: Part, modality: str) -> Volume:
    """Read the voxels of one part."""
    slices = order_slices(part.slices)
    affine = affine_of(slices)
    check_numbers(path, slices, modality)
    first = slices[0]
    shape = (len(slices), first.rows, first.columns)
    sources: dict[Path, list[tuple[int, Slice]]] = {}
    for index, one in enumerate(slices):
        sources.setdefault(one.path, []).append((index, one))
    size = sum(source.stat().st_size for source in sources)
    if np.prod(shape, dtype=float) > max(_PLAIN_VOXELS, PIXELS_PER_BYTE * size):
        found = f"{shape[2]} x {shape[1]} x {shape[0]} in {size} bytes"
        raise DataError(path, f"at most {PIXELS_PER_BYTE} voxels per byte", found, DAMAGED)
    voxels = np.empty(shape, dtype=np.float32)
    with Guard() as guard, ThreadPoolExecutor(_THREADS) as pool:
        tasks = [pool.submit(_fill, voxels, source, places, guard) for source, places in sources.items()]
        try:
            for task in tasks:
                task.result()
        finally:
            pool.shutdown(cancel_futures=True)
    return Volume(voxels.transpose(2, 1, 0)[None], affine, path)


def _fill(voxels: NDArray[np.float32], source: Path, places: Sequence[tuple[int, Slice]], guard: Guard) -> None:
    """Read the slices that come from one file into their places of [slice, row, column]."""
    frames = stored_frames(source, [one.frame for _, one in places], guard)
    for (index, one), stored in zip(places, frames, strict=True):
        voxels[index] = stored.astype(np.float64) * one.slope + one.intercept
