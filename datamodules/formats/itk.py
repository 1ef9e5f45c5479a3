"""What NRRD and MetaImage share once their headers are parsed: from checked bytes to volumes and labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.base import ReadOptions
from datamodules.formats.itk_streams import Encoding, read_exactly
from datamodules.formats.label_values import whole_numbers
from datamodules.formats.volume import Volume
from datamodules.formats.volumes import all_volumes, pick_volume, scaled


@dataclass(frozen=True, eq=False)
class Header:
    """Describe where the voxels lie on disk and in the patient, and what their numbers mean.

    Args:
        path: The file that the header stands in.
        sizes: Of all stored axes, the fastest first.
        spatial: Which two or three of them lie in the patient; the others count volumes or channels.
        dtype: The stored type, with its byte order.
        encoding: How the voxels are stored.
        data_file: Where: the same file, or one beside it.
        offset: Bytes before them there.
        affine: 4 x 4 matrix from the indices along the spatial axes to RAS+ mm.
    """

    path: Path
    sizes: tuple[int, ...]
    spatial: tuple[int, ...]
    dtype: np.dtype[Any]
    encoding: Encoding
    data_file: Path
    offset: int
    affine: NDArray[np.float64]

    @property
    def others(self) -> tuple[int, ...]:
        """Return the stored axes that do not lie in the patient."""
        return tuple(axis for axis in range(len(self.sizes)) if axis not in self.spatial)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (X, Y) or (X, Y, Z), and where there are volumes or channels (X, Y, Z, C, ...)."""
        spatial = tuple(self.sizes[axis] for axis in self.spatial)
        if not self.others:
            return spatial
        return (*spatial, 1)[:3] + tuple(self.sizes[axis] for axis in self.others)

    @property
    def files(self) -> list[Path]:
        """Return the header's file and, where it is another, the voxels' file, sorted."""
        return sorted({self.path, self.data_file})


def read_stored(header: Header) -> NDArray[Any]:
    """Read the voxels to the last byte, as [X, Y, Z, ...] with at least three axes, in native byte order.

    Raises:
        DataError: The data are not exactly what the header claims, or a stream is damaged.
    """
    claimed = math.prod(header.sizes) * header.dtype.itemsize
    voxels = read_exactly(header.data_file, header.offset, claimed, header.encoding)
    native = voxels.view(header.dtype).astype(header.dtype.newbyteorder("="), copy=False)
    stored = native.reshape(header.sizes, order="F").transpose(header.spatial + header.others)
    return np.expand_dims(stored, 2) if len(header.spatial) == 2 else stored


def read(header: Header, options: ReadOptions) -> Volume:
    """Read float32 voxels: one volume [1, X, Y, Z], or with `options.all_volumes` each as a channel.

    Raises:
        DataError: As `read_stored` does, a number is too large for float32, or there are several volumes and none
            was chosen.
    """
    stored = read_stored(header)
    path = header.path
    chosen = all_volumes(stored) if options.all_volumes else pick_volume(path, stored, options.volume_index)[None]
    return Volume(scaled(path, chosen, (1.0, 0.0), np.float32), header.affine, path)


def read_labels(header: Header) -> Volume:
    """Read integers [1, X, Y, Z], or [K, X, Y, Z] where there are K volumes.

    Raises:
        DataError: As `read_stored` does, or a value is not an integer.
    """
    return Volume(whole_numbers(header.path, all_volumes(read_stored(header))), header.affine, header.path)
