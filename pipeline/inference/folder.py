"""A list of cases to masks in a folder: read, compute and write at once, resume, report."""

import dataclasses
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from datamodules.cases import Case
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume
from datamodules.grid import Grid
from datamodules.hashing import hash_case
from pipeline.inference.dicom_seg import Origin
from pipeline.inference.outputs import OutputNames, output_names, write_label_names, write_outputs
from pipeline.inference.pipeline_threads import overlapped
from pipeline.inference.predictor import SegmentationPredictor
from pipeline.inference.resume import Journal, fingerprint
from pipeline.report import CaseResult, Report, Status, peak_memory_mib

log = logging.getLogger(__name__)

_BAR = "predicting {percentage:3.0f}%|{bar:20}| {elapsed} gone, {remaining} left"


def _bar_seconds() -> float:
    """Return how often to draw the bar: a file or a scheduler's log gets a new line each time."""
    return 0.2 if sys.stderr.isatty() else 15.0


@dataclass
class _Work:
    """One case on its way through reading, network and writing."""

    case: Case
    names: OutputNames | None = None
    outputs: tuple[str, ...] = ()
    content: str = ""
    status: Status = "done"
    fingerprint: str = ""
    messages: list[str] = field(default_factory=list)
    seconds: float = 0.0
    device_mib: float | None = None
    image: Tensor | None = None
    grid: Grid | None = None
    logits: Tensor | None = None
    picture: Volume | None = None
    earlier: CaseResult | None = None


class FolderPrediction:
    """Predict cases into a folder.

    Args:
        predictor: The model and the settings.
        output: The folder, which exists.
        overwrite: Compute finished cases again, and replace files that no earlier start has written.

    Raises:
        DataError: If the folder has a report or label names that are of another origin.
    """

    def __init__(self, predictor: SegmentationPredictor, output: Path, *, overwrite: bool = False) -> None:
        self.predictor, self.output, self.overwrite = predictor, output, overwrite
        self.journal = Journal(output)
        self.settings = predictor.outcome_settings()
        write_label_names(output, predictor.labels, owned=overwrite or not self.journal.is_new)

    def run(self, cases: Sequence[Case]) -> Report:
        """Predict every case that is not finished yet, and write report.json.

        A case that fails is reported, and the others go on.
        """
        begun = time.monotonic()
        predictor = self.predictor
        works = [_Work(predictor.located(case)) for case in cases]
        # Without smoothing the time left comes from the mean speed: cases differ more than speed does.
        bar = tqdm(total=len(works), bar_format=_BAR, mininterval=_bar_seconds(), smoothing=0)
        with bar as self._bar:
            results = list(overlapped(works, self._read, self._compute, self._write))
        report = Report(
            command="predict",
            device=str(predictor.device),
            model={"folder": str(predictor.model.folder), "sha256": predictor.model.sha256},
            settings=self.settings,
            cases=results,
            seconds=round(time.monotonic() - begun, 3),
            earlier=self.journal.others(case.id for case in cases),
        )
        report.save(self.output)
        self.journal.close()
        return report

    def _read(self, work: _Work) -> _Work:
        return self._guarded(work, self._read_case)

    def _compute(self, work: _Work) -> _Work:
        if work.status != "done":
            self._bar.total = (
                self._bar.total or 1
            ) - 1  # for the time left, what does not reach the network is no work
        begun = round(self._bar.n)
        self._guarded(work, self._compute_case)
        self._bar.update(begun + (work.status == "done") - self._bar.n)
        return work

    def _write(self, work: _Work) -> CaseResult:
        return self._settled(self._guarded(work, self._write_case))

    @staticmethod
    def _guarded(work: _Work, stage: Callable[[_Work], None]) -> _Work:
        """Take a case through a stage unless it is settled; an error makes it a failed case."""
        if work.status != "done":
            return work
        begun = time.perf_counter()
        try:
            stage(work)
        except Exception as error:  # whatever is wrong with one case must not stop the others
            expected = isinstance(error, DataError | OSError | MemoryError | FloatingPointError)
            log.error("%s: %s", work.case.id, error, exc_info=None if expected else error)
            work.status = "failed"
            work.messages.append(str(error) if expected else f"{type(error).__name__}: {error}")
        work.seconds += time.perf_counter() - begun
        return work

    def _read_case(self, work: _Work) -> None:
        case, predictor = work.case, self.predictor
        work.content = hash_case(case)
        work.fingerprint = fingerprint(work.content, predictor.model.sha256, self.settings)
        work.names = output_names(case, predictor.labels, predictor.settings)
        if not self.overwrite:
            work.earlier = self.journal.finished(case.id, work.fingerprint)
            if work.earlier is not None:
                work.status = "skipped"
                return
            if foreign := self.journal.foreign(case.id, work.names.all):
                remedy = "choose another output folder, or give --overwrite"
                raise DataError(self.output / foreign[0], "no such file", "one of another origin", remedy)
        volume, messages = predictor.read(case)
        self._tell(work, messages)
        prepared = predictor.preprocessing.apply(volume)
        work.image, work.grid = torch.from_numpy(prepared.image), prepared.grid
        work.picture = volume if work.names.overlay else None

    def _compute_case(self, work: _Work) -> None:
        assert work.image is not None
        device, begun = self.predictor.device, self._bar.n
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

        def progress(done: int, tiles: int) -> None:
            self._bar.update(begun + done / tiles - self._bar.n)

        work.logits = self.predictor.logits(work.image, progress)
        work.image = None  # its memory is not needed while the result is written
        if device.type == "cuda":
            work.device_mib = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)

    def _write_case(self, work: _Work) -> None:
        assert work.names is not None
        assert work.logits is not None
        assert work.grid is not None
        names = work.names
        self.journal.announce(work.case.id, names.all)
        origin = Origin(self.predictor.model.sha256, work.content, work.fingerprint)
        labels = self.predictor.labels
        self._tell(work, write_outputs(self.output, names, labels, work.logits, work.grid, work.picture, origin))
        work.outputs = tuple(name for name in names.all if (self.output / name).is_file())

    @staticmethod
    def _tell(work: _Work, messages: list[str]) -> None:
        """Keep messages on a case for the report, and show them."""
        work.messages += messages
        for message in messages:
            log.warning("%s: %s", work.case.id, message)

    def _settled(self, work: _Work) -> CaseResult:
        """Return the case's result; it is on record before the next case is written."""
        work.image = work.logits = work.picture = None
        if work.earlier is not None:
            return dataclasses.replace(work.earlier, status="skipped")
        outputs = work.outputs
        if work.status == "failed" and (outputs := self.journal.existing(work.case.id)):
            work.messages.append("its files are from an earlier or unfinished attempt")
        result = CaseResult(
            id=work.case.id,
            status=work.status,
            seconds=round(work.seconds, 3),
            peak_memory_mib=peak_memory_mib(),
            peak_device_memory_mib=work.device_mib,
            outputs=outputs,
            messages=tuple(work.messages),
            fingerprint=work.fingerprint,
        )
        self.journal.record(result)
        return result
