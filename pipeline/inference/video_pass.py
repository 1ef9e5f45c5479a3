"""One video through the network, from its frames to rows on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.formats.frames import Frame, FrameSource
from pipeline.inference.pose_predictor import PosePredictor
from pipeline.inference.pose_rows import FRAME_STATUS, Rows, RowStore, empty_rows
from pipeline.inference.regions import Region
from pipeline.inference.video_stages import held, staged, workers_for

log = logging.getLogger(__name__)

_REPLAYED = 1024  # rows read at once


class MapSink(Protocol):
    """What takes heatmaps [K, h, w] of a frame, and the map [2, 3] from the input's pixels to the frame's."""

    def write(self, frame: int, heatmaps: NDArray[np.float32], to_original: NDArray[np.float64]) -> None:
        """Take in the next frame's."""
        ...


@dataclass
class _Batch:
    """Consecutive frames: their rows, and crops of those that have a subject."""

    rows: Rows
    crops: Tensor  # [B, H, W, 3], a slot of the ring
    images: dict[int, NDArray[np.uint8]] = field(default_factory=dict)  # by row, until they are cut
    cut: list[int] = field(default_factory=list)  # the row of each crop
    to_original: list[NDArray[np.float64]] = field(default_factory=list)
    heatmaps: NDArray[np.float32] | None = None


class PassResult(NamedTuple):
    """What a pass has seen: all frames, those that do not decode, and those without a region."""

    frames: int
    unreadable: int
    no_region: int


class VideoPass:
    """Decode a video in a thread of its own, compute batches of frames, and append their rows in another thread.

    Crops lie in a ring of buffers made once, pinned for CUDA; nothing grows with the video.

    Args:
        predictor: The model.
        source: The frames, unread.
        region: Where the subject is; for one that follows, batches are single frames.
        store: Takes the rows; the frames that it has already are decoded and passed over.
        inspect: Is shown the crops of the first batch that has any.
        progress: Is told how many frames are new on disk.
    """

    def __init__(
        self,
        predictor: PosePredictor,
        source: FrameSource,
        region: Region,
        store: RowStore,
        inspect: Callable[[NDArray[np.uint8]], None],
        progress: Callable[[int], object],
    ) -> None:
        self.predictor, self.region, self.store = predictor, region, store
        self._inspect, self._progress = inspect, progress
        self.batch = 1 if region.needs_joints else predictor.batch_size
        self.workers = 1 if region.needs_joints else workers_for(predictor.device)
        width, height = predictor.preprocessing.input_size
        pinned = predictor.device.type == "cuda"
        shape = (held(self.workers), self.batch, height, width, 3)
        self._ring = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
        self._frames = iter(source)
        self._inspected = self._ended = False
        self._new_sink: Callable[[tuple[int, int]], MapSink] | None = None
        self._sink: MapSink | None = None

    def run(self, new_sink: Callable[[tuple[int, int]], MapSink] | None = None) -> PassResult:
        """Work through the video.

        Args:
            new_sink: Makes what takes the heatmaps, once their width and height are known. Frames that are on disk
                already give none.
        """
        self._new_sink = new_sink
        begin = self.store.keep_whole(self.batch)
        if begin:
            log.info("going on behind %d frames that are done", begin)
        counts = np.zeros(3, np.int64)
        for start in range(0, begin, _REPLAYED):
            rows = self.store.read(start, min(start + _REPLAYED, begin))
            self._replay(rows)
            counts += _count(rows)
        for _ in zip(range(begin), self._frames, strict=False):
            self._progress(1)
        with closing(staged(self._slots(), self._read, self._compute, self._write, self.workers)) as results:
            for rows in results:
                counts += _count(rows)
                self._progress(len(rows))
        return PassResult(*counts.tolist())

    def _slots(self) -> Iterator[int]:
        number = 0
        while not self._ended:
            yield number % len(self._ring)
            number += 1

    def _replay(self, rows: Rows) -> None:
        """Bring the region to where it was behind these rows."""
        for row in rows:
            if row["status"] != FRAME_STATUS.index("unreadable"):
                found = self.region.box(int(row["index"]), *row["size"].tolist())
                if found is not None:
                    self.region.update(row["points"], row["confidence"], *row["size"].tolist())

    def _read(self, slot: int) -> _Batch:
        """Decode the frames of the next batch, and cut the subjects out unless that takes the joints before."""
        frames: list[Frame] = []
        for frame in self._frames:
            frames.append(frame)
            if len(frames) == self.batch:
                break
        self._ended = len(frames) < self.batch
        batch = _Batch(empty_rows(len(frames), len(self.predictor.skeleton.names)), self._ring[slot])
        for row, frame in enumerate(frames):
            self._describe(batch.rows[row], frame)
            if frame.image is not None:
                batch.images[row] = frame.image
                if not self.region.needs_joints:
                    self._cut(batch, row)
        if not self.region.needs_joints:
            self._show(batch)
        return batch

    @staticmethod
    def _describe(row: Any, frame: Frame) -> None:  # noqa: ANN401 -- a record has no type of its own
        row["index"], row["status"] = frame.index, FRAME_STATUS.index(frame.status)
        row["time_s"] = np.nan if frame.time_s is None else frame.time_s
        if frame.image is not None:
            row["size"] = frame.image.shape[1], frame.image.shape[0]

    def _cut(self, batch: _Batch, row: int) -> None:
        image, record = batch.images.pop(row), batch.rows[row]
        box = self.region.box(int(record["index"]), image.shape[1], image.shape[0])
        if box is None:
            return
        crop, to_original = self.predictor.cut(image, box)
        batch.crops[len(batch.cut)] = torch.from_numpy(crop)
        batch.cut.append(row)
        batch.to_original.append(to_original)
        record["box"] = box

    def _show(self, batch: _Batch) -> None:
        if batch.cut and not self._inspected:
            self._inspected = True
            self._inspect(batch.crops[: len(batch.cut)].numpy())

    def _compute(self, batch: _Batch) -> _Batch:
        """Find the joints of a batch; runs in several threads at once unless the region follows them."""
        for row in list(batch.images):
            self._cut(batch, row)
            self._show(batch)
        if not batch.cut:
            return batch
        found = self.predictor.predict(batch.crops[: len(batch.cut)], np.stack(batch.to_original))
        for name in ("points", "score", "confidence"):
            batch.rows[name][batch.cut] = getattr(found, name).numpy()
        if self.region.needs_joints:
            for record in batch.rows[batch.cut]:
                self.region.update(record["points"], record["confidence"], *record["size"].tolist())
        if self._new_sink is not None:
            batch.heatmaps = found.heatmaps.cpu().numpy()
        return batch

    def _write(self, batch: _Batch) -> Rows:
        if batch.heatmaps is not None and self._new_sink is not None:
            height, width = batch.heatmaps.shape[2:]
            self._sink = self._sink or self._new_sink((width, height))
            for number, row in enumerate(batch.cut):
                self._sink.write(int(batch.rows["index"][row]), batch.heatmaps[number], batch.to_original[number])
        self.store.append(batch.rows)
        return batch.rows


def _count(rows: Rows) -> NDArray[np.int64]:
    """Return the numbers of a `PassResult`."""
    unreadable = rows["status"] == FRAME_STATUS.index("unreadable")
    no_region = ~unreadable & np.isnan(rows["box"]).any(axis=1)
    return np.array([len(rows), unreadable.sum(), no_region.sum()])
