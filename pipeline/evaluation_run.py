"""The evaluation of a folder: every case scored, then the tables, the summary and the report."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tqdm import tqdm

from datamodules.labels import LabelSet
from pipeline.config.errors import UsageError
from pipeline.evaluation import StructureScore
from pipeline.evaluation_cases import Pair, find_labels, find_pairs, score_pair
from pipeline.evaluation_summary import format_table, summarise, write_scores, write_summary
from pipeline.report import CaseResult, Report

log = logging.getLogger(__name__)


def run_evaluation(
    predictions: Path,
    references: Path,
    output: Path,
    *,
    tolerance_mm: float,
    labels: Mapping[str, int | list[int]] | None,
    seed: int,
    workers: int,
) -> int:
    """Score all cases and write scores.csv, summary.json and report.json; return the exit code.

    Args:
        predictions: Folder or file.
        references: Folder or file.
        output: Folder for the results.
        tolerance_mm: Tolerance of the normalised surface Dice.
        labels: Names and values of the structures, None to look for them.
        seed: Seed of the bootstrap.
        workers: Processes; 0 works in this one.

    Raises:
        DataError: If a folder holds no volumes or the structures cannot be found out.
        UsageError: If the options cannot be meant.
    """
    start = time.perf_counter()
    _refuse_wrong_usage(predictions, references, output, tolerance_mm, workers)
    pairs = find_pairs(predictions, references)
    structures = find_labels(predictions, references, labels, pairs)
    output.mkdir(parents=True, exist_ok=True)
    results: list[CaseResult] = []
    rows: list[StructureScore] = []
    for result, scores in _score_all(pairs, structures, tolerance_mm, workers):
        results.append(result)
        rows += scores
    failed = [result.id for result in results if result.status == "failed"]
    summary = summarise(rows, tolerance_mm=tolerance_mm, seed=seed, failed=len(failed))
    settings = {
        "input": str(predictions),
        "reference": str(references),
        "tolerance_mm": tolerance_mm,
        "labels": structures.to_dict(),
        "seed": seed,
    }
    report = Report("evaluate", "cpu", {}, settings, results, round(time.perf_counter() - start, 3))
    for path in (write_scores(rows, output), write_summary(summary, output), report.save(output)):
        log.debug("written: %s", path)
    log.info("%s\nwritten to %s: scores.csv, summary.json, report.json", format_table(summary), output)
    if failed:
        shown = ", ".join(failed[:10]) + (" ..." if len(failed) > 10 else "")
        log.warning("%d of %d cases could not be scored and are in no mean: %s", len(failed), len(pairs), shown)
    return report.exit_code


def _refuse_wrong_usage(predictions: Path, references: Path, output: Path, tolerance_mm: float, workers: int) -> None:
    for name, path in (("--input", predictions), ("--reference", references)):
        folder = path if path.is_dir() else path.parent
        if output.resolve() == folder.resolve():
            raise UsageError(f"--output: expected another folder than that of {name}, found {output}")
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output: expected a folder, found the file {output}")
    if not tolerance_mm >= 0:
        raise UsageError(f"--tolerance-mm: expected 0 or more, found {tolerance_mm}")
    if workers < 0:
        raise UsageError(f"--workers: expected 0 or more, found {workers}")


def _score_all(
    pairs: Sequence[Pair], labels: LabelSet, tolerance_mm: float, workers: int
) -> Iterator[tuple[CaseResult, list[StructureScore]]]:
    """Score the cases in their order, with a progress bar on a terminal."""
    task = partial(score_pair, labels=labels, tolerance_mm=tolerance_mm)
    show = partial(tqdm, total=len(pairs), desc="evaluate", unit="case", disable=None)
    if workers < 1:
        yield from show(map(task, pairs))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from show(pool.map(task, pairs))
