"""Which predicted joints were right: what a calibration is fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.keypoints import UNLABELLED
from pipeline.metrics.keypoint_errors import correct_points
from pipeline.metrics.keypoints import ScoredPose


class Outcomes(NamedTuple):
    """Joints in a row, one entry each [N].

    Attributes:
        scores: What the joint was scored with.
        correct: Whether it was found where it is.
        groups: The case or group that it belongs to.
    """

    scores: NDArray[np.float64]
    correct: NDArray[np.bool_]
    groups: list[str]


def joint_outcomes(
    poses: Sequence[ScoredPose],
    threshold: float,
    *,
    scores: Mapping[str, NDArray[np.floating]] | None = None,
    in_view: Mapping[str, NDArray[np.bool_]] | None = None,
    groups: Mapping[str, str] | None = None,
) -> Outcomes:
    """Judge every labelled joint: it is right with an error of at most a threshold times the norm.

    A joint out of view is never right, wherever the prediction lies: there was nothing to be seen. Unlabelled joints
    and subjects without a norm cannot be judged and are left out.

    Args:
        poses: Predictions and annotations.
        threshold: As a share of the norm.
        scores: Score of each joint by case [K], where it is not the poses' confidence.
        in_view: Whether each joint lay in what the network was shown, by case [K]; cases that are missing lay so.
        groups: Name of the group by case; a case that is missing is its own.
    """
    found: list[NDArray[np.float64]] = []
    right: list[NDArray[np.bool_]] = []
    names: list[str] = []
    for pose in poses:
        if pose.norm_px is None or not pose.norm_px > 0:
            continue
        judged = pose.visibility != UNLABELLED
        seen = np.asarray((in_view or {}).get(pose.case_id, np.ones(len(judged), bool)))
        hit = correct_points(pose.errors_px[None], np.array([pose.norm_px]), threshold)[0]
        score = np.asarray((scores or {}).get(pose.case_id, pose.confidence), np.float64)
        found.append(score[judged])
        right.append((hit & seen)[judged])
        names += [(groups or {}).get(pose.case_id, pose.case_id)] * int(judged.sum())
    if not found:
        return Outcomes(np.empty(0), np.empty(0, bool), [])
    return Outcomes(np.concatenate(found), np.concatenate(right), names)
