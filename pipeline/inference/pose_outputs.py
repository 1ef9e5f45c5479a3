"""The files that a video leaves in the output folder, all made from the rows on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.frames import Frame, FrameSource, open_frames
from datamodules.keypoints import Skeleton
from pipeline.inference.pose_finishing import RowSource, Smoothing, finished_chunks
from pipeline.inference.pose_tables import PoseTableWriter, read_chunks
from pipeline.inference.video_stages import staged

STEM = "pose"  # of the files in a video's folder
SCORER = "pipeline_pose"  # what DeepLabCut's tables call the one who labelled

_Pose = tuple[int, NDArray[np.float64], NDArray[np.float64]]  # frame, points and confidence
_Pair = tuple[Frame, _Pose]


@dataclass(frozen=True)
class PoseOutputs:
    """The names of a video's files, relative to the output folder.

    Args:
        video: The video's id, the folder of its files.
        overlay: Whether a video with the joints drawn in is wanted.
        heatmaps: Whether the heatmaps of each frame are.
    """

    video: str
    overlay: bool = False
    heatmaps: bool = False

    @property
    def all(self) -> tuple[str, ...]:
        """Return the names of what is wanted."""
        names = [f"{STEM}.parquet", f"{STEM}.csv", f"{STEM}_deeplabcut.h5", f"{STEM}_deeplabcut.csv"]
        names += [f"{STEM}_coco.json", *[self.overlay_name] * self.overlay, *[self.heatmaps_name] * self.heatmaps]
        return tuple(f"{self.video}/{name}" for name in names)

    @property
    def overlay_name(self) -> str:
        """Return the overlay's name within the video's folder."""
        return f"{STEM}_overlay.mp4"

    @property
    def heatmaps_name(self) -> str:
        """Return the name of the heatmaps' file within the video's folder."""
        return f"{STEM}_heatmaps.h5"


def write_tables(folder: Path, rows: RowSource, smoothing: Smoothing, skeleton: Skeleton) -> Counter[str]:
    """Write the tables of a video, in all their formats.

    Args:
        folder: Of the video; it exists.
        rows: What the network said.
        smoothing: What is done to the joints.
        skeleton: The joints.

    Returns:
        How many joints of all frames have which status.
    """
    from pipeline.inference.pose_coco import write_coco_results
    from pipeline.inference.pose_dlc import write_deeplabcut

    counts: Counter[str] = Counter()
    with PoseTableWriter(folder, STEM, skeleton) as table:
        for chunk in finished_chunks(rows, smoothing):
            counts.update(chunk.status.ravel().tolist())
            for frame, time_s, points, confidence, status in zip(
                chunk.frames, chunk.time_s, chunk.points, chunk.confidence, chunk.status, strict=True
            ):
                table.write(int(frame), float(time_s), points, confidence, status.tolist())
    write_deeplabcut(table.parquet, folder, STEM, skeleton, SCORER)
    write_coco_results(table.parquet, folder, STEM, skeleton)
    return counts


def write_overlay(path: Path, source: Path, table: Path, skeleton: Skeleton, progress: Callable[[int], object]) -> None:
    """Write a video with the joints of its table drawn in: it is decoded once more, in step with the table's rows.

    Decoding, drawing and encoding run at the same time, in a thread each.

    Args:
        path: The video to write.
        source: The video to read.
        table: In Parquet.
        skeleton: The joints.
        progress: Is told how many frames are new.
    """
    from pipeline.inference.pose_overlay_video import OverlayWriter

    with open_frames(source) as frames, OverlayWriter(path, frames.info, skeleton) as video:
        pairs = _Pairs(frames, _poses(table, skeleton))

        def draw(pair: _Pair | None) -> tuple[NDArray[np.uint8], float | None] | None:
            if pair is None:
                return None
            frame, (number, points, confidence) = pair
            if frame.index != number:
                raise RuntimeError(f"{source}: frame {frame.index} meets row {number} of {table}")
            return video.draw(frame, points, confidence), frame.time_s

        def encode(drawn: tuple[NDArray[np.uint8], float | None] | None) -> int:
            if drawn is not None:
                video.write(*drawn)
            return drawn is not None

        # One worker: the trail needs the frames in their order.
        with closing(staged(pairs.asked(), pairs.next, draw, encode, workers=1)) as written:
            for count in written:
                progress(count)


class _Pairs:
    """Frames with their poses, each taken where `next` is called."""

    def __init__(self, frames: FrameSource, poses: Iterator[_Pose]) -> None:
        self._pairs = zip(frames, poses, strict=True)
        self._ended = False

    def asked(self) -> Iterator[None]:
        """Yield until a call of `next` has met the end."""
        while not self._ended:
            yield None

    def next(self, _: None) -> _Pair | None:
        """Return the next pair, None at the end."""
        pair = next(self._pairs, None)
        self._ended = pair is None
        return pair


def _poses(table: Path, skeleton: Skeleton) -> Iterator[_Pose]:
    for chunk in read_chunks(table, skeleton):
        yield from zip(chunk.frames.tolist(), chunk.points, chunk.confidence, strict=True)


def status_words(counts: Counter[str], joints: int) -> str:
    """Return in words how many joints of all frames have which status."""
    total = sum(counts.values())
    shares = ", ".join(f"{count / total:.1%} {status}" for status, count in counts.most_common())
    return f"{total // joints} frames, of their joints {shares}"
