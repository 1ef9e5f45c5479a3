"""Dice plus cross-entropy on logits, for classes that exclude each other and for structures that overlap."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DiceCELoss(nn.Module):
    """Soft Dice loss plus cross-entropy, as a weighted mean over the heads of deep supervision.

    Everything is computed in float32, whatever the logits are. Where the finest logits are smaller than the
    label, as those of an unpadded network, the label is cropped to its centre. Coarser heads are compared
    with the label at the nearest voxels, and each weighs half of the next finer one.

    Args:
        overlapping: Structures may overlap: sigmoid and binary cross-entropy for each. Otherwise softmax.
        batch_dice: Sum over the whole batch before the ratio is taken, not over each image.
        include_background: Let class 0 of a softmax take part in the Dice loss.
        dice_weight: Weight of the Dice loss.
        ce_weight: Weight of the cross-entropy.
        smooth: Voxels added to numerator and denominator of the ratio, against division by zero.

    Source: Milletari et al. 2016, V-Net, for the Dice loss; Isensee et al. 2021, nnU-Net, for the sum.
    """

    def __init__(
        self,
        overlapping: bool = False,
        batch_dice: bool = False,
        include_background: bool = False,
        dice_weight: float = 1.0,
        ce_weight: float = 1.0,
        smooth: float = 1e-5,
    ) -> None:
        super().__init__()
        self.overlapping = overlapping
        self.batch_dice = batch_dice
        self.include_background = include_background
        self.dice_weight = dice_weight
        self.ce_weight = ce_weight
        self.smooth = smooth

    def forward(self, logits: Tensor | Sequence[Tensor], label: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            logits: [B, K, *S], or a sequence of them, finest first.
            label: Class indices [B, 1, *S], or one mask of 0 and 1 per overlapping structure [B, K, *S].

        Raises:
            ValueError: If logits and label do not fit each other.
        """
        heads = [logits] if isinstance(logits, Tensor) else list(logits)
        self._check(heads, label)
        weights = head_weights(len(heads))
        label = _centre(label, heads[0].shape[2:])
        losses = [
            weight * self._of_head(head, nearest(label, head.shape[2:]))
            for weight, head in zip(weights, heads, strict=True)
        ]
        return torch.stack(losses).sum()

    def _of_head(self, logits: Tensor, label: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            # At least float32: half precision cannot count voxels.
            wide = logits.to(torch.promote_types(logits.dtype, torch.float32)).flatten(2)
            sums = _sigmoid_sums if self.overlapping else _softmax_sums
            cross_entropy, *overlap = sums(wide, label.flatten(2))
            return self.dice_weight * (1.0 - self._dice(*overlap)) + self.ce_weight * cross_entropy

    def _dice(self, intersection: Tensor, predicted: Tensor, observed: Tensor) -> Tensor:
        """Return the mean soft Dice coefficient from sums over voxels [B, K]."""
        if not self.overlapping and not self.include_background:
            intersection, predicted, observed = intersection[:, 1:], predicted[:, 1:], observed[:, 1:]
        if self.batch_dice:
            intersection, predicted, observed = intersection.sum(0), predicted.sum(0), observed.sum(0)
        return ((2.0 * intersection + self.smooth) / (predicted + observed + self.smooth)).mean()

    def _check(self, heads: Sequence[Tensor], label: Tensor) -> None:
        if not heads:
            raise ValueError("logits: expected at least one head, found none")
        batch, classes = heads[0].shape[:2]
        channels = classes if self.overlapping else 1
        if label.shape[:2] != (batch, channels) or label.ndim != heads[0].ndim:
            raise ValueError(
                f"label: expected [{batch}, {channels}, *S] for logits {list(heads[0].shape)} with "
                f"overlapping={self.overlapping}, found {list(label.shape)}"
            )
        if any(ours > theirs for ours, theirs in zip(heads[0].shape[2:], label.shape[2:], strict=True)):
            raise ValueError(f"label: {list(label.shape)} is smaller than its logits {list(heads[0].shape)}")
        if classes == 1 and not self.overlapping and not self.include_background:
            raise ValueError("logits: expected a background and at least one class, found a single channel")


def _softmax_sums(logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the mean cross-entropy, and the sums over voxels [B, K] that a soft Dice ratio is made of.

    Scattering by class spares the one-hot label, which would be as large as the logits.

    Args:
        logits: [B, K, N].
        label: Class indices [B, 1, N].

    Returns:
        Mean cross-entropy, probability where the label is set, probability everywhere, voxels of the label.
    """
    label = label.long()
    log_probability = F.log_softmax(logits, dim=1)
    log_true = log_probability.gather(1, label)
    index, true = label.squeeze(1), log_true.exp().squeeze(1)
    empty = true.new_zeros(logits.shape[:2])
    intersection = empty.scatter_add(1, index, true)
    observed = empty.scatter_add(1, index, torch.ones_like(true))
    return -log_true.mean(), intersection, log_probability.exp().sum(-1), observed


def _sigmoid_sums(logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what `_softmax_sums` does for logits [B, K, N] and masks of 0 and 1 [B, K, N]."""
    target = label.to(logits.dtype)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target)
    probability = logits.sigmoid()
    return cross_entropy, (probability * target).sum(-1), probability.sum(-1), target.sum(-1)


def head_weights(count: int) -> list[float]:
    """Return weights that halve from head to head and sum to 1."""
    weights = [0.5**head for head in range(count)]
    return [weight / sum(weights) for weight in weights]


def nearest(label: Tensor, size: Sequence[int]) -> Tensor:
    """Reduce a label [B, C, *S] to a size by taking the voxel at the centre of each coarser voxel."""
    for axis, length in enumerate(size, start=2):
        found = label.shape[axis]
        if found != length:
            coarse = torch.arange(length, device=label.device)
            label = label.index_select(axis, (2 * coarse + 1) * found // (2 * length))
    return label


def _centre(label: Tensor, size: Sequence[int]) -> Tensor:
    for axis, length in enumerate(size, start=2):
        label = label.narrow(axis, (label.shape[axis] - length) // 2, length)
    return label
