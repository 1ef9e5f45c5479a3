"""The scores of predicted poses: per joint, over all, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.keypoints import OCCLUDED, UNLABELLED, VISIBLE, Box, Skeleton
from pipeline.metrics.keypoint_errors import PerJoint, auc, end_point_error, pck, root_mean_square
from pipeline.metrics.keypoint_norm import KeypointNorm
from pipeline.metrics.oks import BOX_AREA_SHARE, OksPose, oks_ap, oks_sigmas


@dataclass(frozen=True)
class ScoredPose:
    """A predicted pose and its annotation, in pixels of the original image.

    Args:
        case_id: The subject's name.
        predicted: Positions [K, 2]; NaN where there is none.
        confidence: One per joint [K].
        truth: Annotated positions [K, 2].
        visibility: UNLABELLED, OCCLUDED or VISIBLE for each joint [K].
        norm_px: The subject's norm, None where its annotation does not give it.
        area_px: The subject's area, None where it is not annotated.
        box: The subject's box, None where it is not annotated.

    Raises:
        ValueError: If the arrays do not agree on the number of joints.
    """

    case_id: str
    predicted: NDArray[np.floating]
    confidence: NDArray[np.floating]
    truth: NDArray[np.floating]
    visibility: NDArray[np.uint8]
    norm_px: float | None
    area_px: float | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        joints = len(self.visibility)
        shapes = [np.shape(array) for array in (self.predicted, self.confidence, self.truth, self.visibility)]
        if shapes != [(joints, 2), (joints,), (joints, 2), (joints,)]:
            raise ValueError(f"pose {self.case_id}: expected shapes [K, 2], [K], [K, 2] and [K], found {shapes}")

    @property
    def errors_px(self) -> NDArray[np.float64]:
        """Return the distance of each joint to its annotation [K], infinite where nothing was predicted."""
        distance = np.linalg.norm(np.asarray(self.predicted, np.float64) - np.asarray(self.truth, np.float64), axis=1)
        return np.where(np.isfinite(distance), distance, np.inf)

    @property
    def oks_area_px(self) -> float | None:
        """Return the annotated area, or 0.53 of the box, or None where there is neither."""
        area = self.area_px
        if area is None and self.box is not None:
            area = BOX_AREA_SHARE * self.box[2] * self.box[3]
        return area if area is not None and area > 0 else None


@dataclass(frozen=True)
class PoseSummary:
    """The scores of a set of poses.

    Attributes:
        names: The joints, in the order of the rows.
        rows: Figures of each joint by name; None where the joint was never labelled.
        overall: The same figures over all labelled points, with `pck_joint_mean@T`, the mean of the joints' shares.
        counts: How many poses and points there were, and how many of them were left out of what.
        notes: What the figures mean and what was left out, in sentences.
    """

    names: tuple[str, ...]
    rows: tuple[dict[str, float | None], ...]
    overall: dict[str, float | None]
    counts: dict[str, int]
    notes: tuple[str, ...]

    @property
    def metrics(self) -> dict[str, float]:
        """Return every figure that exists under a flat name: "pck@0.2" over all, "pck@0.2/left_wrist" for a joint."""
        flat = {key: value for key, value in self.overall.items() if value is not None}
        for name, row in zip(self.names, self.rows, strict=True):
            flat |= {f"{key}/{name}": value for key, value in row.items() if value is not None and key != "points"}
        return flat

    def table(self) -> str:
        """Return an aligned table: a row per joint, then all points, then the notes."""
        from pipeline.metrics.pose_table import format_table

        return format_table(self)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        joints = [{"joint": name, **row} for name, row in zip(self.names, self.rows, strict=True)]
        return {"joints": joints, "overall": self.overall, "counts": self.counts, "notes": list(self.notes)}


def summarise_poses(
    poses: Sequence[ScoredPose],
    skeleton: Skeleton,
    *,
    thresholds: Sequence[float] = (0.05, 0.1, 0.2, 0.5),
    norm: KeypointNorm,
    visible_only: bool = False,
) -> PoseSummary:
    """Score poses against their annotations.

    Figures over all are means over all labelled points of all joints, so that a joint counts as often as it is
    labelled. Occluded joints count as labelled unless `visible_only`. A pose without its norm is left out of PCK
    and AUC; pixel errors and similarity take it in.

    Args:
        poses: At least one.
        skeleton: The joints.
        thresholds: Of PCK, as shares of the norm.
        norm: What `norm_px` of the poses is; with "head", PCK is PCKh and is given under both names.
        visible_only: Whether occluded joints are taken for unlabelled.

    Raises:
        ValueError: If there is no pose, or one has another number of joints than the skeleton.
    """
    _check(poses, skeleton)
    errors = np.stack([pose.errors_px for pose in poses])
    visibility = np.stack([pose.visibility for pose in poses])
    weight = visibility == VISIBLE if visible_only else visibility != UNLABELLED
    lengths = np.array([np.nan if pose.norm_px is None else pose.norm_px for pose in poses], np.float64)
    figures = _figures(errors, weight, lengths, thresholds, norm)
    rows: list[dict[str, float | None]] = [
        {"points": float(weight[:, joint].sum()), **{key: _or_none(v.joints[joint]) for key, v in figures.items()}}
        for joint in range(len(skeleton.names))
    ]
    overall: dict[str, float | None] = {key: _or_none(value.overall) for key, value in figures.items()}
    for threshold in thresholds:
        shares = figures[f"pck@{threshold:g}"].joints
        labelled = shares[np.isfinite(shares)]
        overall[f"pck_joint_mean@{threshold:g}"] = _or_none(labelled.mean()) if len(labelled) else None
    similarity, oks_note, without_area = _similarity(poses, weight, skeleton)
    counts = _counts(errors, weight, visibility, lengths) | {"poses_without_area": without_area}
    notes = (*_notes(norm, counts, visible_only), oks_note)
    return PoseSummary(skeleton.names, tuple(rows), overall | similarity, counts, notes)


def _check(poses: Sequence[ScoredPose], skeleton: Skeleton) -> None:
    if not poses:
        raise ValueError("expected at least one pose to score, found none")
    wrong = [pose for pose in poses if len(pose.visibility) != len(skeleton.names)]
    if wrong:
        raise ValueError(
            f"pose {wrong[0].case_id}: expected {len(skeleton.names)} joints, found {len(wrong[0].visibility)}"
        )


def _figures(
    errors: NDArray[np.float64],
    weight: NDArray[np.bool_],
    lengths: NDArray[np.float64],
    thresholds: Sequence[float],
    norm: KeypointNorm,
) -> dict[str, PerJoint]:
    figures = {f"pck@{threshold:g}": pck(errors, weight, lengths, threshold) for threshold in thresholds}
    if norm.kind == "head":
        figures |= {key.replace("pck", "pckh"): value for key, value in figures.items()}
    figures["auc"] = auc(errors, weight, lengths)
    figures["epe_px"] = end_point_error(errors, weight)
    figures["rmse_px"] = root_mean_square(errors, weight)
    return figures


def _similarity(
    poses: Sequence[ScoredPose], weight: NDArray[np.bool_], skeleton: Skeleton
) -> tuple[dict[str, float | None], str, int]:
    """Return the figures of object keypoint similarity, a note about them, and how many poses have no area."""
    sigmas, words = oks_sigmas(skeleton)
    scored = []
    for pose, counts in zip(poses, weight, strict=True):
        area = pose.oks_area_px
        if area is not None:
            # What was not predicted has to count as far away; pycocotools knows no missing position.
            predicted = np.where(np.isfinite(pose.predicted), pose.predicted, 1e6)
            visible = np.where(counts, pose.visibility, UNLABELLED).astype(np.uint8)
            scored.append(OksPose(predicted, float(np.nan_to_num(pose.confidence).mean()), pose.truth, visible, area))
    scores = oks_ap(scored, sigmas)
    without = len(poses) - len(scored)
    if scores is None:
        return {}, "No OKS: no subject has an area or a box, and a labelled joint.", without
    left = f"; {without} subjects without either left out" if without else ""
    note = f"OKS: {words}; area as annotated, else {BOX_AREA_SHARE} of the box{left}."
    figures = {"oks_ap": scores.ap, "oks_ap50": scores.ap50, "oks_ap75": scores.ap75, "oks_ar": scores.ar}
    return dict(figures), note, without


def _counts(
    errors: NDArray[np.float64],
    weight: NDArray[np.bool_],
    visibility: NDArray[np.uint8],
    lengths: NDArray[np.float64],
) -> dict[str, int]:
    lacking = ~(np.isfinite(lengths) & (lengths > 0))
    return {
        "poses": len(errors),
        "points": int(weight.sum()),
        "points_occluded": int((visibility == OCCLUDED).sum()),
        "points_unlabelled": int((visibility == UNLABELLED).sum()),
        "points_not_predicted": int((weight & ~np.isfinite(errors)).sum()),
        "poses_without_norm": int(lacking.sum()),
        "points_without_norm": int(weight[lacking].sum()),
    }


def _notes(norm: KeypointNorm, counts: dict[str, int], visible_only: bool) -> list[str]:
    occluded = "left out" if visible_only else "counted in"
    notes = [
        f"pck@T: share within T of the norm ({norm.kind}); {counts['points_occluded']} occluded points {occluded}.",
        "epe_px: mean distance, DeepLabCut's RMSE; rmse_px: root of the mean squared distance.",
    ]
    if counts["poses_without_norm"]:
        notes.append(
            f"{counts['poses_without_norm']} of {counts['poses']} subjects ({counts['points_without_norm']} points) "
            "lack the norm: not in PCK and AUC."
        )
    if counts["points_not_predicted"]:
        notes.append(f"{counts['points_not_predicted']} points not predicted: missed in PCK, not in pixel errors.")
    return notes


def _or_none(value: float | np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None
