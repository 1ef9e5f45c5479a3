"""Heatmaps of every frame in one compressed HDF5 file, written while they come."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datamodules.formats.atomic import atomic_path
from datamodules.keypoints import Skeleton

if TYPE_CHECKING:
    import h5py

_GROW = 256  # frames by which the file grows at a time
_LEAST = 255 * np.finfo(np.float32).tiny  # a map that is lower throughout counts as empty: its scale would be 0
_NOTE = (
    "value = heatmaps * scale, where negative values are 0. A map's cells (column, row) are taken by cell_to_input to "
    "pixels (x, y) of the network's input, and those by to_original to pixels of the frame; centres are whole numbers."
)


class HeatmapWriter:
    """Write heatmaps as 8-bit numbers with a scale for each map; the file appears whole when the block ends well.

    The file holds `heatmaps` [N, K, h, w], uint8, one chunk per frame; `scale` [N, K]; `frame` [N], the index in the
    video; `to_original` [N, 2, 3]. Its attributes are the joints' names, the stride, the map from cells to pixels of
    the input, and a note on how to read it. Quantisation errs by at most half a 255th of a map's maximum.

    Args:
        path: The file, .h5; its folder exists.
        skeleton: The joints.
        size: Width and height of a map in cells.
        stride: Pixels of the network's input per cell, along x and y.
        cell_to_input: Map [2, 3] from cells to those pixels.

    Attributes:
        frames: How many frames have been written.
    """

    def __init__(
        self,
        path: Path,
        skeleton: Skeleton,
        size: tuple[int, int],
        stride: tuple[float, float],
        cell_to_input: ArrayLike,
    ) -> None:
        self.frames = 0
        self._path = path
        self._names, self._size, self._stride = skeleton.names, size, stride
        self._cells = np.asarray(cell_to_input, np.float64)
        self._open = ExitStack()
        self._data: dict[str, h5py.Dataset] = {}

    def __enter__(self) -> Self:
        import h5py

        with ExitStack() as opening:
            temporary = opening.enter_context(atomic_path(self._path))
            file = opening.enter_context(h5py.File(temporary, "w"))
            self._create(file)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._open:
            if error is not None:
                raise error
            self._resize(self.frames)

    def write(self, frame: int, heatmaps: ArrayLike, to_original: ArrayLike) -> None:
        """Append the maps of a frame.

        Args:
            frame: Its index in the video; frames without maps are left out.
            heatmaps: [K, h, w].
            to_original: Map [2, 3] from the pixels of the network's input to those of the frame.

        Raises:
            ValueError: If the maps have another shape, or are not finite.
        """
        maps: NDArray[np.float32] = np.asarray(heatmaps, np.float32)
        width, height = self._size
        if maps.shape != (len(self._names), height, width) or not np.isfinite(maps).all():
            wanted = [len(self._names), height, width]
            raise ValueError(f"expected finite maps {wanted}, found {list(maps.shape)}")
        positive = maps.clip(0)
        peak = positive.max(axis=(1, 2))
        scale = np.where(peak > _LEAST, peak, np.float32(1)) / np.float32(255)
        if self.frames == len(self._data["frame"]):
            self._resize(self.frames + _GROW)
        self._data["heatmaps"][self.frames] = np.rint((positive / scale[:, None, None]).clip(0, 255)).astype(np.uint8)
        self._data["scale"][self.frames] = scale
        self._data["frame"][self.frames] = frame
        self._data["to_original"][self.frames] = np.asarray(to_original, np.float64)
        self.frames += 1

    def _create(self, file: h5py.File) -> None:
        joints, (width, height) = len(self._names), self._size
        shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "heatmaps": ((joints, height, width), "uint8"),
            "scale": ((joints,), "float32"),
            "frame": ((), "int64"),
            "to_original": ((2, 3), "float64"),
        }
        for name, (shape, kind) in shapes.items():
            chunk = 1 if name == "heatmaps" else _GROW
            self._data[name] = file.create_dataset(
                name, (0, *shape), kind, maxshape=(None, *shape), chunks=(chunk, *shape), compression="gzip",
                compression_opts=1,
            )  # fmt: skip
        file.attrs["joints"] = list(self._names)
        file.attrs["stride_px"] = np.asarray(self._stride, np.float64)
        file.attrs["cell_to_input"] = self._cells
        file.attrs["note"] = _NOTE

    def _resize(self, frames: int) -> None:
        for data in self._data.values():
            data.resize(frames, axis=0)
