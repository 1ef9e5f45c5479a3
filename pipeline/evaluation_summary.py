"""What all cases together say: means with bootstrap intervals, as JSON, as CSV and as a table."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.formats.atomic import write_atomically
from pipeline.evaluation import METRICS, Status, StructureScore
from pipeline.metrics.bootstrap import Interval, draw_resamples, mean_interval

SCORES_NAME = "scores.csv"
SUMMARY_NAME = "summary.json"
CONFIDENCE = 0.95
RESAMPLES = 5000
CONVENTIONS = (
    "Distances in mm on the files' own spacing. A structure that is missed or invented scores Dice, IoU and"
    " NSD 0 and the image's diagonal as distances. A structure that is empty on both sides is counted under"
    " both_empty and in no mean. The mean over structures is that of their means. The bootstrap draws cases."
)
# On screen: heading, decimals, whether the interval is shown (all of them are in summary.json).
_COLUMNS = {
    "dice": ("Dice", 3, True),
    "iou": ("IoU", 3, False),
    "hd95_mm": ("HD95 mm", 1, True),
    "nsd": ("NSD", 3, True),
    "assd_mm": ("ASSD mm", 2, False),
    "volume_error_ml": ("volume error ml", 1, True),
}
_STATUSES: tuple[Status, ...] = ("found", "missed", "invented", "both_empty")


def summarise(rows: Sequence[StructureScore], *, tolerance_mm: float, seed: int = 0, failed: int = 0) -> dict[str, Any]:
    """Average the scores of all cases per structure, over structures, and the error rate.

    Args:
        rows: Scores of all cases; every case has the same structures.
        tolerance_mm: Tolerance of the surface Dice, to be stated.
        seed: Seed of the bootstrap.
        failed: Number of cases that could not be scored, to be stated.

    Returns:
        What summary.json holds; a mean without any score is None.
    """
    cases = list(dict.fromkeys(row.case for row in rows))
    names = list(dict.fromkeys(row.structure for row in rows))
    resamples = draw_resamples(len(cases), resamples=RESAMPLES, seed=seed) if cases else None
    place = {(row.case, row.structure): row for row in rows}

    def interval(columns: Sequence[str], metric: str) -> dict[str, float | int] | None:
        if resamples is None:
            return None
        table = [[_number(getattr(place[case, name], metric)) for name in columns] for case in cases]
        found: Interval | None = mean_interval(np.array(table), resamples, confidence=CONFIDENCE)
        return None if found is None else found.to_dict()

    structures: dict[str, Any] = {}
    for name in names:
        statuses = Counter(row.status for row in rows if row.structure == name)
        counts = {status: statuses[status] for status in _STATUSES}
        structures[name] = {metric: interval([name], metric) for metric in METRICS} | counts
    return {
        "cases": {"scored": len(cases), "failed": failed},
        "structures": structures,
        "mean": {metric: interval(names, metric) for metric in METRICS},
        "error_rate": interval(names[:1], "error_rate"),
        "nsd_tolerance_mm": tolerance_mm,
        "bootstrap": {"confidence": CONFIDENCE, "resamples": RESAMPLES, "seed": seed},
        "conventions": CONVENTIONS,
    }


def format_table(summary: dict[str, Any]) -> str:
    """Return the summary as text: a line per structure, the mean, and the error rate."""
    headings = [heading for heading, _, _ in _COLUMNS.values()]
    headings[headings.index("NSD")] = f"NSD at {summary['nsd_tolerance_mm']:g} mm"
    lines = [["structure", *headings, "cases", ""]]
    for name, scores in summary["structures"].items():
        total = sum(scores[status] for status in _STATUSES)
        remarks = [f"{scores[s]} {s.replace('_', ' ')}" for s in _STATUSES[1:] if scores[s]]
        lines.append([name, *_cells(scores), str(total), ", ".join(remarks)])
    lines.append(["mean", *_cells(summary["mean"]), str(summary["cases"]["scored"]), ""])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([*text, f"error rate (share of wrong voxels)  {_cell(summary['error_rate'], 4, True)}"])


def write_scores(rows: Sequence[StructureScore], folder: Path) -> Path:
    """Write scores.csv atomically, one line per case and structure; an empty field is "no score"."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(StructureScore)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.to_dict() for row in rows)
    path = folder / SCORES_NAME
    write_atomically(path, text.getvalue().encode())
    return path


def write_summary(summary: dict[str, Any], folder: Path) -> Path:
    """Write summary.json atomically."""
    path = folder / SUMMARY_NAME
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode())
    return path


def _number(score: float | None) -> float:
    return float("nan") if score is None else float(score)


def _cells(scores: dict[str, Any]) -> list[str]:
    return [_cell(scores[metric], decimals, shown) for metric, (_, decimals, shown) in _COLUMNS.items()]


def _cell(interval: dict[str, float] | None, decimals: int, with_interval: bool) -> str:
    if interval is None:
        return "-"
    mean, low, high = (f"{interval[key]:.{decimals}f}" for key in ("mean", "lower", "upper"))
    return f"{mean} [{low}, {high}]" if with_interval else mean
