"""Keypoints: heatmaps with a loss on every stack, validated in pixels of the original images."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
import torch.distributed as dist
from pytorch_lightning import Trainer
from torch import Tensor

from datamodules.base import DataModule
from datamodules.heatmaps import HeatmapCodec, HeatmapTargets
from datamodules.keypoints import UNLABELLED
from datamodules.pose import PoseBatch, PoseData
from networks.base import Network, answer_of, stages_of
from pipeline.config.errors import UsageError
from pipeline.finished import Finished
from pipeline.metrics.keypoint_errors import pck, root_mean_square
from pipeline.metrics.keypoint_norm import RIGHT_WITHIN, choose_norm
from pipeline.pose_losses import HeatmapLoss, all_flat
from pipeline.tasks.base import Task
from pipeline.tasks.network_checks import check_heatmaps

log = logging.getLogger(__name__)

_QUIET = 0.01  # heads start with answers near zero, as nearly all of a target is
_EARLY = 0.1  # of the training, in which maps may still be flat


class PoseTask(Task):
    """Train a network to find joints.

    Args:
        network: Maker of the network, e.g. `class_path: Hourglass`.
        optimizer: "adamw" warms up and falls along a cosine, "sgd" (Nesterov, momentum 0.99) falls polynomially.
        learning_rate: Peak of the schedule.
        weight_decay: Decoupled for AdamW, as a penalty for SGD.
        warmup: Part of the training over which AdamW's rate rises.
        ema_decay: Decay of the running average of weights that is validated and kept; 0 for none.
        codec: How joints become heatmaps and heatmaps joints.
        positive_weight: How much more an error counts at a joint's peak than where its map is zero; keeps maps from
            falling to zero everywhere.
        hard_joints: On the last stack only so many of a subject's joints count, those with the largest errors; null
            for all.
        flip_test: Average over the image and its mirror in the final validation and in `pipeline pose`.
        norm: Length to which errors relate in PCK: the torso, the subject's box, or the head (PCKh); "auto" takes the
            first of head and torso that the data has, else the box, and says so.
        norm_joints: The two joints whose distance is the torso, where their names do not tell.
        calibration: Curve that turns a heatmap's maximum into the confidence, fitted on the validation subjects.
    """

    data_class = PoseData

    def __init__(
        self,
        network: Callable[[int, int], Network],
        optimizer: Literal["adamw", "sgd"] = "adamw",
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        warmup: float = 0.05,
        ema_decay: float = 0.999,
        codec: HeatmapCodec = HeatmapCodec(),  # noqa: B008 -- frozen
        positive_weight: float = 4.0,
        hard_joints: int | None = None,
        flip_test: bool = True,
        norm: Literal["auto", "torso", "box", "head"] = "auto",
        norm_joints: tuple[str, str] | None = None,
        calibration: Literal["isotonic", "temperature", "none"] = "isotonic",
    ) -> None:
        super().__init__(network, optimizer, learning_rate, weight_decay, warmup, ema_decay)
        self.codec = codec
        self.loss = HeatmapLoss(positive_weight, hard_joints, codec.sigma)
        self.flip_test, self.calibration = flip_test, calibration
        self.norm, self.norm_joints = norm, norm_joints
        self.errors: dict[str, tuple[list[float], float | None]] = {}
        self.flat: list[bool] = []

    @property
    def data(self) -> PoseData:
        """Return the data module that the trainer was given."""
        return cast(PoseData, super().data)

    def check(self, data: DataModule) -> None:
        """Refuse a network that gives no heatmaps or does not fit the input's size."""
        assert isinstance(data, PoseData)
        check_heatmaps(self, data.input_size)

    def configure_model(self) -> None:
        """Build the network, its heads turned down."""
        fresh = not hasattr(self, "network")
        super().configure_model()
        if fresh:
            with torch.no_grad():
                for head in cast("list[torch.nn.Conv2d]", self.network.heads):
                    head.weight.mul_(_QUIET)

    def setup(self, stage: str) -> None:
        """Choose the length that errors relate to.

        Raises:
            UsageError: The data does not have it.
        """
        data = self.data
        try:
            chosen = choose_norm(self.norm, self.norm_joints, data.skeleton, list(data.samples.values()))
        except ValueError as error:
            raise UsageError(f"model.norm and model.norm_joints: {error}") from error
        self.keypoint_norm, words = chosen
        if self.trainer.is_global_zero:
            log.info("%s", words)

    def forward(self, image: Tensor) -> Tensor:
        """Return heatmaps [B, K, h, w] for normalised images [B, 3, H, W]."""
        return answer_of(self.network(image))

    def targets(self, batch: PoseBatch, size: tuple[int, int]) -> HeatmapTargets:
        """Return the target maps of a batch, of a width and height in cells."""
        return self.codec.encode(batch.keypoints, batch.visibility, self.data.input_size, size)

    def training_step(self, batch: PoseBatch, batch_idx: int) -> Tensor:
        """Return the loss of a batch over all stacks."""
        outputs = stages_of(self.network(batch.image))
        loss = cast(Tensor, self.loss(outputs, lambda size: self.targets(batch, size)))
        self.refuse_non_finite(loss, batch.image, batch.case_id)
        self.log("train/loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(batch.image))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the errors of the last validation."""
        self.errors, self.flat = {}, []

    def validation_step(self, batch: PoseBatch, batch_idx: int) -> None:
        """Measure the distance of every labelled joint in pixels of the original."""
        maps = self(batch.image).float()
        decoded = self.codec.decode(maps, self.data.input_size)
        to_original = batch.to_original.to(decoded.points)
        apart = (decoded.points - batch.keypoints)[:, :, None]
        # Not a product of matrices, which autocast would round to eight bits.
        distances = (to_original[:, None, :, :2] * apart).sum(-1).norm(dim=2)
        # What is no number is a miss, and must not be taken for a joint that nobody labelled.
        distances = distances.nan_to_num(torch.inf).masked_fill(batch.visibility == UNLABELLED, torch.nan)
        in_view = self.targets(batch, (maps.shape[3], maps.shape[2])).in_view
        if in_view.any():
            self.flat.append(bool(all_flat(maps, in_view)))
        for case_id, found in zip(batch.case_id, distances.cpu().tolist(), strict=True):
            self.errors[case_id] = found, self.keypoint_norm.length_px(self.data.samples[case_id])

    def on_validation_epoch_end(self) -> None:
        """Log PCK of each joint and of all, and the root of the mean squared distance."""
        for name, value in self._scores(self._gather()).items():
            self.log(f"validation/{name}", value, prog_bar=name == "pck", rank_zero_only=True)
        if self.flat and all(self.flat) and self.fraction > _EARLY:
            log.warning(
                "step %d: all heatmaps are flat: the network says nothing of any joint. Raise model.positive_weight, "
                "lower model.learning_rate, or look at the annotations",
                self.trainer.global_step,
            )

    def finish(self, trainer: Trainer, folder: Path) -> Finished:
        """Predict and score the validation subjects from their files."""
        from pipeline.final_pose import finish_pose  # it draws with matplotlib, slow to import

        return finish_pose(self, self.data, trainer, folder)

    def _gather(self) -> dict[str, tuple[list[float], float | None]]:
        if self.trainer.world_size == 1:
            return self.errors
        parts: list[dict[str, tuple[list[float], float | None]] | None] = [None] * self.trainer.world_size
        dist.all_gather_object(parts, self.errors)
        return {case: found for part in parts if part for case, found in part.items()}

    def _scores(self, cases: dict[str, tuple[list[float], float | None]]) -> dict[str, float]:
        """Return what can be scored; PCK is 0 where nothing can, as a monitor must be a number."""
        names = self.data.skeleton.names
        found = np.array([found for found, _ in cases.values()]).reshape(-1, len(names))
        norms = np.array([length or np.nan for _, length in cases.values()])
        labelled = ~np.isnan(found)
        errors = np.where(labelled, found, 0.0)
        shares = pck(errors, labelled, norms, RIGHT_WITHIN[self.keypoint_norm.kind])
        rmse_px = root_mean_square(errors, labelled).overall
        scores = {"rmse_px": rmse_px} | {f"pck_{name}": value for name, value in zip(names, shares.joints, strict=True)}
        kept = {name: float(value) for name, value in scores.items() if math.isfinite(value)}
        return {"pck": shares.overall if math.isfinite(shares.overall) else 0.0} | kept
