"""The tables of a pose validation: every joint that was found, scores by joint, and results as COCO has them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import write_atomically
from datamodules.keypoints import UNLABELLED, PoseSample, Skeleton
from pipeline.metrics.keypoint_norm import labelled_box
from pipeline.metrics.keypoints import PoseSummary, ScoredPose

PREDICTIONS_NAME = "predictions.csv"
SCORES_NAME = "scores.csv"
SUMMARY_NAME = "summary.json"
TRUTH_NAME, RESULTS_NAME = "coco_truth.json", "coco_results.json"
ALL_JOINTS = "all points"
_HEAD = ("case", "joint", "x", "y", "confidence", "score", "true_x", "true_y", "visibility", "error_px")


@dataclass(frozen=True, eq=False)
class FoundPose:
    """A validation subject with what was found of it, in pixels of its image.

    Args:
        sample: The annotated subject.
        points: Found joints [K, 2].
        score: Maximum of each joint's heatmap [K].
        confidence: Probability that the joint is where it was found [K].
        norm_px: The length that its errors relate to, None where its annotation does not give it.
        to_original: Map [2, 3] from the pixels that the network was shown to those of the image.
    """

    sample: PoseSample
    points: NDArray[np.float64]
    score: NDArray[np.float64]
    confidence: NDArray[np.float64]
    norm_px: float | None
    to_original: NDArray[np.float64]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Return which joints have a truth [K]."""
        return np.asarray(self.sample.visibility != UNLABELLED)

    @property
    def errors_px(self) -> NDArray[np.float64]:
        """Return the distance of each joint to its truth [K], NaN where it has none."""
        distance = np.linalg.norm(self.points - self.sample.keypoints, axis=1)
        return np.where(self.labelled, distance, np.nan)

    @property
    def relative_errors(self) -> NDArray[np.float64]:
        """Return the errors in units of the norm [K], NaN where there is no truth or no norm."""
        return self.errors_px / (math.nan if self.norm_px is None else self.norm_px)

    def scored(self) -> ScoredPose:
        """Return the subject as the metrics take it."""
        sample = self.sample
        truth = sample.keypoints.astype(np.float64)
        # A similarity needs an area: that of the labelled joints stands in for a box.
        box = sample.box or labelled_box(sample)
        return ScoredPose(
            sample.id, self.points, self.confidence, truth, sample.visibility, self.norm_px, sample.area_px, box
        )


def write_tables(
    found: Sequence[FoundPose],
    skeleton: Skeleton,
    summary: PoseSummary,
    about: dict[str, Any],
    root: Path,
    folder: Path,
) -> None:
    """Write all tables of a validation.

    Args:
        found: The subjects.
        skeleton: Their joints.
        summary: Their scores.
        about: What summary.json holds beside the scores.
        root: Folder of the data set, or its file of annotations.
        folder: Where the tables go; it is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / PREDICTIONS_NAME, _csv(_HEAD, predictions(found, skeleton.names)))
    write_atomically(folder / SCORES_NAME, _scores(summary))
    write_atomically(folder / SUMMARY_NAME, _json({**summary.to_dict(), **about}))
    for name, content in zip((TRUTH_NAME, RESULTS_NAME), coco_pair(found, skeleton, root), strict=True):
        write_atomically(folder / name, _json(content))


def predictions(found: Iterable[FoundPose], names: Sequence[str]) -> Iterable[list[Any]]:
    """Yield a row for each joint of each subject; an empty field stands for what is not known."""
    for pose in found:
        columns = (pose.points, pose.confidence, pose.score, pose.sample.keypoints, pose.sample.visibility)
        for name, error, point, confidence, score, truth, seen in zip(names, pose.errors_px, *columns, strict=True):
            true = [round(float(value), 3) for value in truth] if seen != UNLABELLED else ["", ""]
            numbers = [round(float(value), 3) for value in point]
            worth = [round(float(confidence), 4), round(float(score), 4)]
            wrong = round(float(error), 3) if np.isfinite(error) else ""
            yield [pose.sample.id, name, *numbers, *worth, *true, int(seen), wrong]


def coco_pair(
    found: Sequence[FoundPose], skeleton: Skeleton, root: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return truth and results in COCO's format, so that its tools can score one against the other.

    Images are numbered from 1 on in the order of the subjects; `file_name` is their path from the data set's folder
    on, or where they lie outside of it, the name of their first subject.
    """
    first = {pose.sample.image: pose.sample for pose in reversed(found)}
    numbers = {image: number for number, image in enumerate(dict.fromkeys(pose.sample.image for pose in found), 1)}
    category = {
        "id": 1,
        "name": "subject",
        "keypoints": list(skeleton.names),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.edges],
    }
    truth = {
        "info": {"description": "validation subjects"},
        "images": [{"id": number, "file_name": _file_name(first[image], root)} for image, number in numbers.items()],
        "categories": [category],
        "annotations": [_annotation(pose, numbers[pose.sample.image], n) for n, pose in enumerate(found, 1)],
    }
    results = [
        {
            "image_id": numbers[pose.sample.image],
            "category_id": 1,
            "keypoints": _row(pose.points, pose.confidence),
            "score": round(float(pose.confidence.mean()), 4),
        }
        for pose in found
    ]
    return truth, results


def _file_name(sample: PoseSample, root: Path) -> str:
    folder, image = (root.parent if root.is_file() else root).absolute(), sample.image.absolute()
    return image.relative_to(folder).as_posix() if image.is_relative_to(folder) else sample.id


def _annotation(pose: FoundPose, image: int, number: int) -> dict[str, Any]:
    sample, scored = pose.sample, pose.scored()
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": _row(sample.keypoints, sample.visibility),
        "num_keypoints": int(pose.labelled.sum()),
        "bbox": list(scored.box or (0.0, 0.0, 0.0, 0.0)),
        "area": scored.oks_area_px or 0.0,
    }


def _row(points: NDArray[np.floating], last: NDArray[Any]) -> list[float]:
    return [round(float(value), 3) for value in np.column_stack([points, last]).ravel()]


def _scores(summary: PoseSummary) -> bytes:
    """Return scores.csv: a row for each joint, then one over all points."""
    total: dict[str, Any] = {"points": summary.counts["points"], **summary.overall}
    columns = list(summary.rows[0])
    lines = [*zip(summary.names, summary.rows, strict=True), (ALL_JOINTS, total)]
    rows = [
        [name, int(row["points"] or 0), *(_cell(row[key]) for key in columns if key != "points")] for name, row in lines
    ]
    return _csv(("joint", *columns), rows)


def _cell(value: float | None) -> float | str:
    return "" if value is None else round(value, 5)


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
