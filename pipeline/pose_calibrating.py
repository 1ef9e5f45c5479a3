"""The confidence of a pose model: what the score of its heatmaps is worth, also for joints out of view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.cropping import invert, transform
from datamodules.keypoints import UNLABELLED, VISIBLE
from pipeline.calibration import Calibration, Kind
from pipeline.calibration_fit import fit_calibration
from pipeline.calibration_outcomes import joint_outcomes
from pipeline.calibration_report import calibration_report, reliability_bins
from pipeline.metrics.keypoint_norm import RIGHT_WITHIN, KeypointNorm
from pipeline.pose_plots import reliability_png
from pipeline.pose_scores import FoundPose

_UNCLEAR = 0.03  # of the cut's longer side: joints so close to its border are neither in view nor out of it


@dataclass(frozen=True, eq=False)
class CalibratedPose:
    """A calibration with what it was fitted to.

    Args:
        calibration: From score to probability.
        report: Figures of `calibration_report`, with the mean confidence of joints in view and out of it, by the fit
            that did not see them.
        held_out: These confidences [N], None where there is a single group.
        scores: The heatmap's maximum of each judged joint [N].
        correct: Which of them were right [N].
        in_view: Which of them lay in what the network was shown [N].
    """

    calibration: Calibration
    report: dict[str, Any]
    held_out: NDArray[np.float64] | None
    scores: NDArray[np.float64]
    correct: NDArray[np.bool_]
    in_view: NDArray[np.bool_]

    def draw(self, path: Path) -> None:
        """Draw the reliability before and after, and how the confidences spread."""
        before = reliability_bins(np.clip(self.scores, 0, 1), self.correct)
        curves = {"maximum of the heatmap": before, "calibrated, on the other half": self.report["bins"]}
        confidence = self.calibration.apply(self.scores) if self.held_out is None else self.held_out
        reliability_png(curves, confidence, self.in_view, path)


def calibrate(
    whole: Sequence[FoundPose],
    shifted: Sequence[FoundPose],
    norm: KeypointNorm,
    size: tuple[int, int],
    kind: Kind = "isotonic",
) -> CalibratedPose:
    """Fit the probability that a joint is right to its score.

    A joint out of view is never right, so that it comes to score low; cuts that are shifted show many of them.

    Args:
        whole: Subjects as `pipeline pose` cuts them out.
        shifted: Cuts that leave some joints out of view.
        norm: What right means relates to.
        size: Width and height of the cuts.
        kind: As for `fit_calibration`.
    """
    within = RIGHT_WITHIN[norm.kind]
    parts = [_judge(found, within, size) for found in (whole, shifted)]
    scores, correct, in_view = (np.concatenate([part[index] for part in parts]) for index in range(3))
    groups = [group for part in parts for group in part[3]]
    fitted = fit_calibration(scores, correct, kind)
    note = f"right means within {within:g} of the norm ({norm.kind}); a joint out of view is never right"
    calibration = replace(fitted, note=f"{fitted.note}; {note}")
    figures, held_out = calibration_report(scores, correct, groups, kind)
    means = {
        f"confidence_{name}": None if held_out is None or not chosen.any() else float(held_out[chosen].mean())
        for name, chosen in (("in_view", in_view), ("out_of_view", ~in_view))
    }
    report = {**figures, **means, "meaning": note}
    return CalibratedPose(calibration, report, held_out, scores, correct, in_view)


def view_of(found: FoundPose, size: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which joints lie in the cut [K], and which of all lie clearly inside or outside of it [K]."""
    places = transform(invert(found.to_original), found.sample.keypoints.astype(np.float64))
    inside = np.minimum(places + 0.5, np.array(size) - 0.5 - places).min(axis=1)
    return inside > 0, np.abs(inside) > _UNCLEAR * max(size)


def _judge(
    found: Sequence[FoundPose], within: float, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], list[str]]:
    """Return score, outcome, view and group of each joint that can be judged."""
    views = [view_of(pose, size) for pose in found]
    # What can be seen of a joint on the border is left to chance, so it says nothing of the score.
    judged = [pose.labelled & clear for pose, (_, clear) in zip(found, views, strict=True)]
    poses = [
        replace(pose.scored(), visibility=np.where(chosen, VISIBLE, UNLABELLED).astype(np.uint8))
        for pose, chosen in zip(found, judged, strict=True)
    ]
    outcomes = joint_outcomes(
        poses,
        within,
        scores={pose.sample.id: pose.score for pose in found},
        in_view={pose.sample.id: view for pose, (view, _) in zip(found, views, strict=True)},
        groups={pose.sample.id: pose.sample.group for pose in found},
    )
    seen = [view[chosen] for pose, (view, _), chosen in zip(found, views, judged, strict=True) if pose.norm_px]
    return outcomes.scores, outcomes.correct, np.concatenate([np.empty(0, bool), *seen]), outcomes.groups
