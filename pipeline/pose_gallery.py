"""Which validation subjects are drawn, and all pictures of a pose validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from datamodules.cropping import invert, transform
from datamodules.formats import photograph
from datamodules.keypoints import Skeleton
from networks.base import stages_of
from pipeline.inference.pose_predictor import PosePredictor
from pipeline.metrics.keypoint_norm import RIGHT_WITHIN
from pipeline.pose_heatmap_pictures import DrawnHeatmaps, heatmaps_png
from pipeline.pose_pictures import DrawnPose, contact_sheet_png, subject_png
from pipeline.pose_plots import joint_errors_png, pck_curves_png
from pipeline.pose_scores import FoundPose
from pipeline.pose_validation import show_subjects

_EACH = 3  # best, middle and worst subjects that are drawn where there are as many
_WORST = 9  # on the sheet of the worst
_LONGEST_NAME = 200  # bytes of a subject's name in a file name, which may have 255 in all


def draw_gallery(
    predictor: PosePredictor, found: Sequence[FoundPose], skeleton: Skeleton, norm: str, folder: Path
) -> None:
    """Draw single subjects, the worst ones, heatmaps of every stack, PCK curves and the errors of each joint.

    Args:
        predictor: The model.
        found: The validation subjects, at least one.
        skeleton: The joints.
        norm: Kind of the length that errors relate to.
        folder: Where the pictures go.
    """
    ranked = rank(found)
    chosen = choose(ranked)
    for name, pose in chosen.items():
        # A name may come from a file's path.
        case = pose.sample.id.replace("/", "_").encode()[:_LONGEST_NAME].decode(errors="ignore")
        subject_png(_drawn(pose, norm), skeleton, folder / f"{name}_{case}.png")
    worst = ranked[::-1][:_WORST]
    title = f"the worst {len(worst)} of {len(found)} validation subjects"
    contact_sheet_png([_drawn(pose, norm) for pose in worst], skeleton, folder / "worst.png", title)
    shown = [chosen[name] for name in ("best-1", "median-1", "worst-1") if name in chosen]
    heatmaps_png([_heatmaps(predictor, pose) for pose in shown], skeleton.names, folder / "heatmaps.png")
    pck_curves_png(np.stack([pose.relative_errors for pose in found]), skeleton, norm, folder / "pck.png")
    joint_errors_png(np.stack([pose.errors_px for pose in found]), skeleton.names, folder / "errors.png")


def rank(found: Sequence[FoundPose]) -> list[FoundPose]:
    """Return the subjects from best to worst: by mean error over the norm, those without a norm in pixels behind."""
    return sorted(found, key=lambda pose: (pose.norm_px is None, _mean(pose)))


def choose(ranked: Sequence[FoundPose]) -> dict[str, FoundPose]:
    """Return best, middle and worst subjects under the names of their ranks, each once."""
    middle = sorted(range(len(ranked)), key=lambda place: abs(place - (len(ranked) - 1) / 2))
    orders = {"best": range(len(ranked)), "worst": range(len(ranked) - 1, -1, -1), "median": middle}
    chosen: dict[str, int] = {}
    for turn in range(1, _EACH + 1):
        for name, order in orders.items():
            free = [place for place in order if place not in chosen.values()]
            if free:
                chosen[f"{name}-{turn}"] = free[0]
    return {name: ranked[place] for name, place in chosen.items()}


def _mean(pose: FoundPose) -> float:
    errors = pose.errors_px if pose.norm_px is None else pose.relative_errors
    return float(np.nanmean(errors)) if pose.labelled.any() else 0.0


def _drawn(pose: FoundPose, norm: str) -> DrawnPose:
    errors = pose.errors_px[pose.labelled]
    note = f"mean error {errors.mean():.1f} px" if errors.size else "no labelled joint"
    if errors.size and pose.norm_px is not None:
        within = RIGHT_WITHIN[norm]
        right = int((errors <= within * pose.norm_px).sum())
        note += f", {right} of {errors.size} within {within:g} of the {norm}"
    truth = pose.sample.keypoints.astype(np.float64)
    return DrawnPose(
        pose.sample.id, photograph.read(pose.sample.image), pose.points, pose.confidence, truth, pose.labelled, note
    )


@torch.inference_mode()
def _heatmaps(predictor: PosePredictor, pose: FoundPose) -> DrawnHeatmaps:
    """Return the heatmaps of every stack, of the image as it is and not of its mirror image."""
    (shown,) = show_subjects(predictor, [pose.sample])
    image = predictor.preprocessing.normalise(torch.from_numpy(shown.pixels).permute(2, 0, 1)[None])
    with torch.autocast(predictor.device.type, predictor.autocast, enabled=predictor.autocast is not None):
        outputs = stages_of(predictor.network(image.to(predictor.device)))
    stacks = [maps[0].float().cpu().numpy() for maps in outputs]
    return DrawnHeatmaps(pose.sample.id, shown.pixels, stacks, transform(invert(shown.to_original), pose.points))
