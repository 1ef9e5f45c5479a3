"""One video to its files: through the network to rows on disk, from there to tables and overlay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.frames import FrameSource
from pipeline.inference.pose_finishing import Smoothing
from pipeline.inference.pose_outputs import STEM, PoseOutputs, status_words, write_overlay, write_tables
from pipeline.inference.pose_predictor import PosePredictor
from pipeline.inference.pose_progress import FrameProgress
from pipeline.inference.pose_rows import RowStore
from pipeline.inference.region_choice import RegionChoice
from pipeline.inference.video_pass import MapSink, PassResult, VideoPass

log = logging.getLogger(__name__)

BAD_FRAMES = "too many bad frames"  # how the message of such a video begins
_BAD_SHARE = 0.01


@dataclass(frozen=True)
class PoseOptions:
    """What the user may choose beside the network's part.

    Args:
        region: Where the subject is looked for.
        smoothing: What is done to the joints.
        overlay: Write a video with the joints drawn in.
        heatmaps: Write the heatmaps of each frame.
        strict: Refuse videos unlike the images of training, instead of warning.
        overwrite: Compute finished videos again, and replace files that no earlier start has written.
    """

    region: RegionChoice = field(default_factory=RegionChoice)
    smoothing: Smoothing = field(default_factory=Smoothing)
    overlay: bool = False
    heatmaps: bool = False
    strict: bool = False
    overwrite: bool = False


class PoseVideo:
    """Predict one video.

    Args:
        predictor: The model.
        options: The user's choices.
        video: The video's id.
        folder: Where its files go; it exists.
        progress: Is told of every frame.
    """

    def __init__(
        self, predictor: PosePredictor, options: PoseOptions, video: str, folder: Path, progress: FrameProgress
    ) -> None:
        self.predictor, self.options, self.video = predictor, options, video
        self.folder, self.progress = folder, progress
        self.names = PoseOutputs(video, options.overlay, options.heatmaps)
        self._findings: list[str] | None = None  # None until frames have been looked at

    def run(self, source: FrameSource, parts: Path, origin: str) -> list[str]:
        """Write the video's files and return what there is to say about it.

        Args:
            source: Its frames, unread.
            parts: Folder for the rows until the files are written; what an interrupted start with the same origin
                has left there is used.
            origin: Fingerprint of what the rows depend on.

        Raises:
            DataError: If the video cannot be read, or with `strict` is unlike the images of training.
        """
        skeleton = self.predictor.skeleton
        store = RowStore(parts, origin, len(skeleton.names))
        self._findings = store.noted()
        self._refuse(source)  # before all else: the rows of a start without `strict` are worth keeping
        try:
            messages = self._pass(source, store)
            counts = write_tables(self.folder, store, self.options.smoothing, skeleton)
            if self.options.overlay:
                self.progress.begin(f"{self.video}, overlay", len(store))
                table = self.folder / f"{STEM}.parquet"
                overlay = self.folder / self.names.overlay_name
                write_overlay(overlay, source.path, table, skeleton, self.progress.update)
        except DataError:
            store.remove()  # the next start would fail the same way
            raise
        store.remove()
        messages = [*(self._findings or []), *messages]
        for message in messages:
            log.warning("%s: %s", self.video, message)
        words = status_words(counts, len(skeleton.names))
        log.info("%s: %s", self.video, words)
        return [*messages, words]

    def _pass(self, source: FrameSource, store: RowStore) -> list[str]:
        """Bring all frames through the network to disk, and return what was met on the way."""
        options, preprocessing = self.options, self.predictor.preprocessing
        options.region.check_frame(source.path, source.info.width, source.info.height)
        region = options.region.start(self.video, preprocessing, options.smoothing.min_confidence)
        self.progress.begin(self.video, source.info.frames_stated)

        def inspect(crops: NDArray[np.uint8]) -> None:
            self._inspect(crops, source, store)

        if options.heatmaps and len(store):
            log.info("%s: %d rows are dropped, heatmaps are of all frames or of none", self.video, len(store))
            store.clear()
        passing = VideoPass(self.predictor, source, region, store, inspect, self.progress.update)
        with ExitStack() as files:
            seen = passing.run(self._heatmap_sink(files) if options.heatmaps else None)
        return [*source.messages, *bad_frames(seen, source), *region.messages()]

    def _inspect(self, crops: NDArray[np.uint8], source: FrameSource, store: RowStore) -> None:
        """Compare the video's first crops [N, H, W, 3] with what was seen in training.

        Raises:
            DataError: With `strict`, if they are unlike.
        """
        seen = self.predictor.model.description.training_range
        if not seen or self._findings is not None:
            return
        from datamodules.pose_range import look, outside_pose_range

        looks = np.array([look(crop) for crop in crops])
        self._findings = outside_pose_range(looks, (source.info.width, source.info.height), seen)
        store.note(self._findings)
        self._refuse(source)

    def _refuse(self, source: FrameSource) -> None:
        if self._findings and self.options.strict:
            remedy = "use a model that was trained on such images, or leave out --strict"
            raise DataError(source.path, "frames like the images of training", "; ".join(self._findings), remedy)

    def _heatmap_sink(self, files: ExitStack) -> Callable[[tuple[int, int]], MapSink]:
        """Return what opens the file of heatmaps, within a stack that closes it."""
        from pipeline.inference.pose_heatmaps import HeatmapWriter

        def open_file(size: tuple[int, int]) -> MapSink:
            stride, cells = self.predictor.cell_to_input(size)
            path = self.folder / self.names.heatmaps_name
            return files.enter_context(HeatmapWriter(path, self.predictor.skeleton, size, stride, cells))

        return open_file


def bad_frames(seen: PassResult, source: FrameSource) -> list[str]:
    """Say when over 1 % of the frames do not decode or are missing; else nothing.

    How many are missing is what the file states, which is exact in some formats and a guess in others. Where a file
    that is cut off states nothing, or no more than was found, any number may be missing, and that is too many.
    """
    stated = source.info.frames_stated
    if source.truncated and (stated is None or stated <= seen.frames):
        return [f"{BAD_FRAMES}: the file is cut off behind {seen.frames}, unknown number of frames missing"]
    missing = (stated or 0) - seen.frames if source.truncated else 0
    bad, total = seen.unreadable + missing, seen.frames + missing
    if bad <= _BAD_SHARE * total:
        return []
    about = "about " if missing else ""
    shown = f"{bad} of {about}{total} ({bad / total:.1%})"
    return [f"{BAD_FRAMES}: {shown}; their rows are empty, or missing"]
