"""A list of videos to tables in a folder: one after the other, resumed where a start was stopped, reported."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from datamodules.formats.errors import DataError
from datamodules.formats.frames import open_frames
from datamodules.hashing import cache_key
from pipeline import exit_codes
from pipeline.inference.pose_inputs import VideoInput
from pipeline.inference.pose_outputs import PoseOutputs
from pipeline.inference.pose_predictor import PosePredictor
from pipeline.inference.pose_progress import FrameProgress
from pipeline.inference.pose_video import BAD_FRAMES, PoseOptions, PoseVideo
from pipeline.inference.resume import JOURNAL_NAME, Journal
from pipeline.report import REPORT_NAME, CaseResult, Report, peak_memory_mib

log = logging.getLogger(__name__)

PARTS = ".parts"  # rows of videos that are not finished
LOCK = ".lock"  # held while a start writes into the folder
RESERVED = (REPORT_NAME, JOURNAL_NAME, PARTS, LOCK)
_ROWS_FORMAT = 1  # raise it when the same model and settings give other rows
_OUTPUT_FORMAT = 1  # raise it when the same model and settings give other files


@dataclass(frozen=True)
class PoseReport(Report):
    """A report in which a video with too many bad frames counts as not all done, though its tables are written."""

    @property
    def exit_code(self) -> int:
        """0 all done, 1 all failed, 3 some failed or have too many bad frames."""
        bad = any(message.startswith(BAD_FRAMES) for case in self.cases for message in case.messages)
        return exit_codes.PARTLY_FAILED if bad and not super().exit_code else super().exit_code


class PoseRun:
    """Predict videos into a folder.

    Args:
        predictor: The model.
        output: The folder, which exists.
        options: The user's choices.

    Raises:
        DataError: If the folder has a report of another origin.
    """

    def __init__(self, predictor: PosePredictor, output: Path, options: PoseOptions) -> None:
        self.predictor, self.output, self.options = predictor, output, options
        self.journal = Journal(output)
        chosen = {"overlay": options.overlay, "heatmaps": options.heatmaps, "output_format": _OUTPUT_FORMAT}
        self.settings: dict[str, Any] = {
            **predictor.outcome_settings(),
            **options.region.settings(),
            **dataclasses.asdict(options.smoothing),
            **chosen,
            "strict": options.strict,
        }
        self._rows_settings = self._settings_of_rows()
        self.doubts = [*options.region.doubts(predictor.preprocessing), *predictor.doubts()]
        for doubt in self.doubts:
            log.warning("%s", doubt)

    def run(self, videos: Sequence[VideoInput]) -> PoseReport:
        """Predict every video that is not finished yet, and write report.json; a video that fails stops no other.

        Raises:
            DataError: If another start is at work in the folder.
        """
        with _locked(self.output):
            self.journal = Journal(self.output)  # another start may have written since
            return self._run(videos)

    def _settings_of_rows(self) -> dict[str, Any]:
        """Return the settings that raw rows depend on: all others come into play when the files are written."""
        region = self.options.region
        least = {"min_confidence": self.options.smoothing.min_confidence} if region.text == "follow" else {}
        return {**self.predictor.outcome_settings(), **region.settings(), **least, "rows_format": _ROWS_FORMAT}

    def _run(self, videos: Sequence[VideoInput]) -> PoseReport:
        begun = time.monotonic()
        with FrameProgress() as progress:
            results = [self._settled(video, progress) for video in videos]
        if (parts := self.output / PARTS).is_dir() and not any(parts.iterdir()):
            parts.rmdir()
        report = PoseReport(
            command="pose",
            device=str(self.predictor.device),
            model={"folder": str(self.predictor.model.folder), "sha256": self.predictor.model.sha256},
            settings=self.settings,
            cases=results,
            seconds=round(time.monotonic() - begun, 3),
            earlier=self.journal.others(video.id for video in videos),
        )
        report.save(self.output)
        self.journal.close()
        return report

    def _settled(self, video: VideoInput, progress: FrameProgress) -> CaseResult:
        """Predict a video unless it is finished; what became of it is on record before the next one is begun."""
        begun = time.perf_counter()
        result = CaseResult(video.id, "failed")
        try:
            digest, model = video.digest(), self.predictor.model.sha256
            origin = cache_key(digest, {"model": model, "settings": self.settings})
            rows_origin = cache_key(digest, {"model": model, "rows": self._rows_settings})
            result = dataclasses.replace(result, fingerprint=origin)
            finished = None if self.options.overwrite else self.journal.finished(video.id, origin)
            if finished is not None:
                return dataclasses.replace(finished, status="skipped")
            messages = self._predicted(video, rows_origin, progress)
            result = dataclasses.replace(result, status="done", messages=tuple(messages))
        except Exception as error:  # whatever is wrong with one video must not stop the others
            expected = isinstance(error, DataError | OSError | MemoryError | FloatingPointError)
            log.error("%s: %s", video.id, error, exc_info=None if expected else error)
            result = dataclasses.replace(result, messages=self._reasons(video, error, expected=expected))
        result = dataclasses.replace(
            result,
            outputs=self.journal.existing(video.id),
            seconds=round(time.perf_counter() - begun, 3),
            peak_memory_mib=peak_memory_mib(),
            peak_device_memory_mib=self._device_mib(),
        )
        self.journal.record(result)
        return result

    def _predicted(self, video: VideoInput, origin: str, progress: FrameProgress) -> list[str]:
        names = PoseOutputs(video.id, self.options.overlay, self.options.heatmaps)
        if not self.options.overwrite and (foreign := self.journal.foreign(video.id, names.all)):
            remedy = "choose another output folder, or give --overwrite"
            raise DataError(self.output / foreign[0], "no such file", "one of another origin", remedy)
        if self.predictor.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.predictor.device)
        with open_frames(video.path) as source:
            self.journal.announce(video.id, names.all)
            (self.output / video.id).mkdir(exist_ok=True)
            job = PoseVideo(self.predictor, self.options, video.id, self.output / video.id, progress)
            return [*self.doubts, *job.run(source, self.output / PARTS / video.id, origin)]

    def _reasons(self, video: VideoInput, error: Exception, *, expected: bool) -> tuple[str, ...]:
        text = str(error) if expected else f"{type(error).__name__}: {error}"
        old = ["its files are from an earlier or unfinished attempt"] if self.journal.existing(video.id) else []
        return (text, *old)

    def _device_mib(self) -> float | None:
        device = self.predictor.device
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1) if device.type == "cuda" else None


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Keep other starts out of a folder; the system frees the lock of a killed process.

    Raises:
        DataError: If another start holds it.
    """
    path = output / LOCK
    try:
        lock = FileLock(path).acquire(timeout=0)
    except Timeout as error:
        remedy = "wait for its end, or choose another output folder"
        raise DataError(output, "no other start that writes into the folder", "one at work", remedy) from error
    with lock:
        try:
            yield
        finally:
            if os.name == "posix":  # elsewhere the lock removes its file itself
                path.unlink(missing_ok=True)
