"""A table of joints as COCO's results of keypoint detection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path
from datamodules.keypoints import Skeleton
from pipeline.inference.pose_tables import PoseChunk, read_chunks

_CATEGORY = 1
_PX_DIGITS, _SCORE_DIGITS = 3, 5


def write_coco_results(table: Path, folder: Path, stem: str, skeleton: Skeleton) -> Path:
    """Write `stem`_coco.json: one result per frame, with x, y and the score of every joint.

    The frame's index is the image's id and the score is the mean of its joints'. A frame without any joint has no
    result. Where single joints are empty, their three numbers are 0, which is how this format says "not there": it
    has no place for an empty number, and its reader takes none.

    Args:
        table: What `PoseTableWriter` has written, in Parquet; it is read in chunks.
        folder: Where the file goes; it exists.
        stem: Its name.
        skeleton: The joints.
    """
    path = folder / f"{stem}_coco.json"
    with atomic_path(path) as part, part.open("w", encoding="utf-8") as file:
        separator = "[\n"
        for chunk in read_chunks(table, skeleton):
            for result in _results(chunk):
                file.write(separator + json.dumps(result, allow_nan=False))
                separator = ",\n"
        file.write("[]\n" if separator == "[\n" else "\n]\n")
    return path


def _results(chunk: PoseChunk) -> Iterator[dict[str, Any]]:
    there: NDArray[np.bool_] = np.isfinite(chunk.points[..., 0]) & np.isfinite(chunk.points[..., 1])
    scores = np.where(there, np.nan_to_num(chunk.confidence), 0.0)
    points = np.where(there[..., None], chunk.points, 0.0).round(_PX_DIGITS)
    numbers = np.concatenate([points, scores[..., None].round(_SCORE_DIGITS)], axis=-1)
    for row in np.flatnonzero(there.any(axis=-1)):
        yield {
            "image_id": int(chunk.frames[row]),
            "category_id": _CATEGORY,
            "keypoints": numbers[row].ravel().tolist(),
            "score": round(float(scores[row][there[row]].mean()), _SCORE_DIGITS),
        }
