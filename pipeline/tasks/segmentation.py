"""Segmentation: Dice with cross-entropy, validated on whole cases by sliding window."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import torch.distributed as dist
from pytorch_lightning import Trainer
from torch import Tensor

from datamodules.base import DataModule
from datamodules.patches import SegmentationBatch
from datamodules.segmentation import SegmentationData
from networks.base import Network
from pipeline.finished import Finished
from pipeline.inference.predictor import network_margin
from pipeline.inference.sliding import sliding_window
from pipeline.losses import DiceCELoss
from pipeline.metrics.overlap import dice_per_class
from pipeline.tasks.base import Task
from pipeline.tasks.network_checks import check_segmentation


class SegmentationTask(Task):
    """Train a network to label voxels.

    Args:
        network: Maker of the network, e.g. `class_path: UNet`.
        optimizer: "adamw" warms up and falls along a cosine, "sgd" (Nesterov, momentum 0.99) falls polynomially.
        learning_rate: Peak of the schedule.
        weight_decay: Decoupled for AdamW, as a penalty for SGD.
        warmup: Part of the training over which AdamW's rate rises.
        batch_dice: Dice over the batch as one volume, steadier for small structures, or per sample.
        ema_decay: Decay of the running average of weights that is validated and kept; 0 for none.
        tile_overlap: Overlap of tiles in validation, as a part of the patch.
    """

    data_class = SegmentationData

    def __init__(
        self,
        network: Callable[[int, int], Network],
        optimizer: Literal["adamw", "sgd"] = "adamw",
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        warmup: float = 0.05,
        batch_dice: bool = True,
        ema_decay: float = 0.999,
        tile_overlap: float = 0.25,
    ) -> None:
        super().__init__(network, optimizer, learning_rate, weight_decay, warmup, ema_decay)
        if not 0.0 <= tile_overlap < 1.0:
            raise ValueError(f"model.tile_overlap: expected a share of the patch below 1, found {tile_overlap}")
        self.batch_dice = batch_dice
        self.tile_overlap = tile_overlap
        self.case_dice: dict[str, dict[str, float]] = {}
        self.margin: tuple[int, ...] = ()

    @property
    def data(self) -> SegmentationData:
        """Return the data module that the trainer was given."""
        return cast(SegmentationData, super().data)

    def check(self, data: DataModule) -> None:
        """Refuse a network that does not label voxels or does not fit the patch."""
        assert isinstance(data, SegmentationData)
        check_segmentation(self, data.patch_size)

    def finish(self, trainer: Trainer, folder: Path) -> Finished:
        """Predict and score the validation cases from their files."""
        from pipeline.final_validation import finish_segmentation  # it draws with matplotlib, slow to import

        return finish_segmentation(self, self.data, trainer, folder)

    def setup(self, stage: str) -> None:
        """Make the loss that fits the data's labels."""
        self.loss = DiceCELoss(overlapping=self.data.labels.overlapping, batch_dice=self.batch_dice)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits [B, K, *S] for images [B, C, *S]."""
        return cast(Tensor, self.network(image))

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> Tensor:
        """Return the loss of a batch of patches."""
        loss = cast(Tensor, self.loss(self.network(batch.image), batch.label))
        self.refuse_non_finite(loss, batch.image, batch.case_id)
        self.log("train/loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(batch.image))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the scores of the last validation."""
        self.case_dice = {}
        self.margin = network_margin(self.network, self.data.patch_size, self.device)

    def validation_step(self, batch: SegmentationBatch, batch_idx: int) -> None:
        """Score one whole case on its prepared grid."""
        logits = sliding_window(
            self.network,
            batch.image[0],
            self.data.patch_size,
            overlap=self.tile_overlap,
            device=self.device,
            margin=self.margin,
        )
        labels = self.data.labels
        predicted = logits > 0 if labels.overlapping else logits.argmax(0, keepdim=True)
        self.case_dice[batch.case_id[0]] = dice_per_class(predicted, batch.label[0].cpu(), labels)

    def on_validation_epoch_end(self) -> None:
        """Log the mean Dice of each structure and of all; a structure in no case counts nowhere."""
        for name, value in self._mean_scores(self._gather()).items():
            self.log(f"validation/{name}", value, prog_bar=name == "dice", rank_zero_only=True)

    def _gather(self) -> dict[str, dict[str, float]]:
        if self.trainer.world_size == 1:
            return self.case_dice
        parts: list[dict[str, dict[str, float]] | None] = [None] * self.trainer.world_size
        dist.all_gather_object(parts, self.case_dice)
        return {case: scores for part in parts if part for case, scores in part.items()}

    def _mean_scores(self, cases: dict[str, dict[str, float]]) -> dict[str, float]:
        means: dict[str, float] = {}
        for name in self.data.labels.names:
            values = [scores[name] for scores in cases.values() if name in scores]
            if values:
                means[f"dice_{name}"] = sum(values) / len(values)
        # With nothing to score the monitor is 0 and not NaN, which would stop every comparison with it.
        total = list(means.values())
        return means | {"dice": sum(total) / len(total) if total else 0.0}
