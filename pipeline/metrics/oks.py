"""Average precision by object keypoint similarity, as COCO measures it."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.keypoints import UNLABELLED, Skeleton

logger = logging.getLogger(__name__)

# Deviation of repeated annotation as a share of the root of the subject's area, from pycocotools' parameters.
_COCO_SIGMAS = {
    "nose": 0.026, "left_eye": 0.025, "right_eye": 0.025, "left_ear": 0.035, "right_ear": 0.035,
    "left_shoulder": 0.079, "right_shoulder": 0.079, "left_elbow": 0.072, "right_elbow": 0.072,
    "left_wrist": 0.062, "right_wrist": 0.062, "left_hip": 0.107, "right_hip": 0.107,
    "left_knee": 0.087, "right_knee": 0.087, "left_ankle": 0.089, "right_ankle": 0.089,
}  # fmt: skip
# DeepLabCut's choice where nobody measured how people differ.
UNIFORM_SIGMA = 0.1
# A person's outline fills about this share of its box; what MMPose takes where an area is missing.
BOX_AREA_SHARE = 0.53


@dataclass(frozen=True)
class OksPose:
    """One predicted and one annotated pose.

    Args:
        predicted: Positions in pixels [K, 2], finite.
        score: Orders the predictions; the mean confidence of the joints.
        truth: Positions in pixels [K, 2].
        visibility: [K]; joints that are UNLABELLED do not count.
        area_px: Area of the subject, above 0.
    """

    predicted: NDArray[np.floating]
    score: float
    truth: NDArray[np.floating]
    visibility: NDArray[np.uint8]
    area_px: float


@dataclass(frozen=True)
class OksScores:
    """Average precision and recall over similarity thresholds 0.50, 0.55, ... 0.95.

    Attributes:
        ap: Average precision, mean over the thresholds.
        ap50: At similarity 0.50.
        ap75: At similarity 0.75.
        ar: Average recall, mean over the thresholds.
        poses: Number of annotated poses that count.
    """

    ap: float
    ap50: float
    ap75: float
    ar: float
    poses: int

    def to_dict(self) -> dict[str, float | int]:
        """Return the figures by name."""
        return asdict(self)


def oks_sigmas(skeleton: Skeleton) -> tuple[NDArray[np.float64], str]:
    """Return a deviation per joint [K], and in words where it is from.

    COCO measured them for its 17 joints alone; any other set of joints gets one for all.
    """
    if set(skeleton.names) == set(_COCO_SIGMAS):
        return np.array([_COCO_SIGMAS[name] for name in skeleton.names]), "COCO's sigmas"
    return np.full(len(skeleton.names), UNIFORM_SIGMA), f"sigma {UNIFORM_SIGMA} for all joints"


def oks_ap(poses: Sequence[OksPose], sigmas: NDArray[np.floating]) -> OksScores | None:
    """Score poses by pycocotools; those without a labelled joint do not count, and None stands for no pose at all.

    Each pose is scored as an image of its own, as it was predicted for one given subject: a pose cannot be taken for
    the neighbour's in the same picture.

    Args:
        poses: One prediction per annotated subject.
        sigmas: Deviation per joint [K], as a share of the root of the area.
    """
    # A prediction for a subject without joints would count as one too many.
    poses = [pose for pose in poses if (pose.visibility != UNLABELLED).any()]
    if not poses:
        return None
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    # pycocotools prints what it does; standard output belongs to the command.
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        truth = COCO()
        truth.dataset = _dataset(poses)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(_results(poses)), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    logger.debug("pycocotools: %s", printed.getvalue().strip())
    # The order of pycocotools' keypoint statistics: AP, AP50, AP75, AP medium, AP large, AR, ...
    ap, ap50, ap75, ar = (float(evaluation.stats[index]) for index in (0, 1, 2, 5))
    return OksScores(ap, ap50, ap75, ar, len(poses))


def _dataset(poses: Sequence[OksPose]) -> dict[str, Any]:
    annotations = []
    for number, pose in enumerate(poses, start=1):
        labelled = pose.visibility != UNLABELLED
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "iscrowd": 0,
                "area": float(pose.area_px),
                "bbox": _box(pose.truth[labelled]),
                "num_keypoints": int(labelled.sum()),
                "keypoints": np.column_stack([pose.truth, pose.visibility]).astype(np.float64).ravel().tolist(),
            }
        )
    images = [{"id": number} for number in range(1, len(poses) + 1)]
    # `info` is read by loadRes.
    return {"info": {}, "images": images, "annotations": annotations, "categories": [{"id": 1, "name": "subject"}]}


def _results(poses: Sequence[OksPose]) -> list[dict[str, Any]]:
    return [
        {
            "image_id": number,
            "category_id": 1,
            "score": float(pose.score),
            "keypoints": np.column_stack([pose.predicted, np.ones(len(pose.predicted))]).astype(float).ravel().tolist(),
        }
        for number, pose in enumerate(poses, start=1)
    ]


def _box(points: NDArray[np.floating]) -> list[float]:
    low, high = points.min(axis=0), points.max(axis=0)
    return [float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])]
