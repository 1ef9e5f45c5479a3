"""Patches for training and whole cases for validation, read from the cache."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.augmentation import Augmentation, VolumeAugmenter
from datamodules.augmentation_2d import ImageAugmenter
from datamodules.cache import PreparedCase


class SegmentationBatch(NamedTuple):
    """Images with their labels.

    Attributes:
        image: Float32 [B, C, *S], normalised.
        label: Class indices [B, 1, *S], or one binary mask per overlapping structure [B, K, *S].
        case_id: The case of each sample.
    """

    image: Tensor
    label: Tensor
    case_id: list[str]


def extract(array: NDArray[np.generic], centre: Sequence[int], shape: Sequence[int], mode: str) -> Tensor:
    """Copy the box of `shape` about `centre` out of [C, X, Y, Z]; what lies outside is padded.

    Args:
        array: Where to read, may be a memory map.
        centre: Voxel that comes to lie at index `shape // 2`.
        shape: Extent of the box.
        mode: "constant" (zeros) or "symmetric", as in `numpy.pad`.
    """
    slices, pads = [slice(None)], [(0, 0)]
    for middle, extent, size in zip(centre, shape, array.shape[1:], strict=True):
        start = int(middle) - extent // 2
        low, high = min(max(start, 0), size - 1), max(min(start + extent, size), 1)
        slices.append(slice(low, high))
        pads.append((max(low - start, 0), max(start + extent - high, 0)))
    box = np.array(array[tuple(slices)])
    return torch.from_numpy(np.pad(box, pads, mode=mode) if any(map(any, pads)) else box)  # type: ignore[call-overload]


class PatchDataset(Dataset[tuple[Tensor, Tensor, str]]):
    """Draw patches; sample `n` is the same whenever and wherever it is drawn (see `EpochSampler`).

    Args:
        cases: Prepared cases by id.
        patch_size: Extent of a patch, three numbers, or two for slices across the last axis.
        batch_size: Samples of an optimiser step on one rank.
        foreground_share: Part of each batch whose centre is a voxel of a class drawn at random.
        augmentation: Random changes; None for none.
        spacing_mm: Distance of the prepared voxels.
        seed: Seed of every draw.
    """

    def __init__(
        self,
        cases: Mapping[str, PreparedCase],
        patch_size: Sequence[int],
        batch_size: int,
        *,
        foreground_share: float,
        augmentation: Augmentation | None,
        spacing_mm: tuple[float, ...],
        seed: int,
    ) -> None:
        self.cases = dict(cases)
        self.ids = sorted(self.cases)
        self.flat = len(patch_size) == 2
        self.patch = (*patch_size, 1) if self.flat else tuple(patch_size)
        self.batch_size = batch_size
        self.with_foreground = max(1, round(batch_size * foreground_share)) if foreground_share > 0 else 0
        self.seed = seed
        self.volume = VolumeAugmenter(augmentation, spacing_mm) if augmentation and not self.flat else None
        self.image = (
            ImageAugmenter(augmentation, (self.patch[0], self.patch[1])) if augmentation and self.flat else None
        )

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, str]:
        """Return image [C, *S], label [L, *S] and case id of sample `number`."""
        rng = np.random.default_rng((self.seed, number))
        case_id = self._case_of(number)
        image, label, locations = self.cases[case_id].load()
        # The last samples of a batch hold foreground for sure, so that no step is without it.
        foreground = number % self.batch_size >= self.batch_size - self.with_foreground
        centre = self._centre(image.shape[1:], locations if foreground else {}, rng)
        label = label if label.ndim == 4 else label[None]
        patch_image, patch_label = self._cut(image, label, centre, rng)
        if self.flat:
            patch_image, patch_label = patch_image[..., 0], patch_label[..., 0]
        return patch_image.contiguous(), patch_label.contiguous(), case_id

    def _case_of(self, number: int) -> str:
        turn, place = divmod(number, len(self.ids))
        order = np.random.default_rng((self.seed, turn, 1)).permutation(len(self.ids))
        return self.ids[int(order[place])]

    def _centre(
        self, shape: Sequence[int], locations: Mapping[int, NDArray[np.integer]], rng: np.random.Generator
    ) -> list[int]:
        present = [key for key, found in locations.items() if len(found)]
        if present:
            found = locations[present[rng.integers(len(present))]]
            wanted = [int(v) for v in found[rng.integers(len(found))]]
        else:
            wanted = [
                int(rng.integers(p // 2, max(s - (p - p // 2), p // 2) + 1))
                for p, s in zip(self.patch, shape, strict=True)
            ]
        # The patch stays within the volume wherever the volume is larger.
        return [
            min(max(w, p // 2), s - (p - p // 2)) if s > p else s // 2
            for w, p, s in zip(wanted, self.patch, shape, strict=True)
        ]

    def _cut(
        self,
        image: NDArray[np.generic],
        label: NDArray[np.generic],
        centre: list[int],
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        if self.image is not None:
            source = (*self.image.source, 1)
            larger = extract(image, centre, source, "symmetric"), extract(label, centre, source, "symmetric")
            return self.image(*larger, rng)
        affine = self.volume.draw_affine(rng) if self.volume else None
        if self.volume is None or affine is None:
            cut = (
                extract(image, centre, self.patch, "constant"),
                extract(label, centre, self.patch, "constant"),
            )
        else:
            shape = self.volume.source_shape(self.patch, affine)
            larger = extract(image, centre, shape, "constant"), extract(label, centre, shape, "constant")
            cut = self.volume.warp(*larger, affine, self.patch)
        return self.volume(*cut, rng) if self.volume else cut


class CaseDataset(Dataset[tuple[Tensor, Tensor, str]]):
    """Whole prepared cases, for validation."""

    def __init__(self, cases: Mapping[str, PreparedCase]) -> None:
        self.cases = dict(cases)
        self.ids = sorted(self.cases)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, str]:
        """Return image [C, X, Y, Z], label [L, X, Y, Z] and case id."""
        image, label, _ = self.cases[self.ids[index]].load()
        label = label if label.ndim == 4 else label[None]
        return torch.from_numpy(np.array(image)), torch.from_numpy(np.array(label)), self.ids[index]


def collate(samples: list[tuple[Tensor, Tensor, str]]) -> SegmentationBatch:
    """Stack samples into a batch."""
    images, labels, ids = zip(*samples, strict=True)
    return SegmentationBatch(torch.stack(images), torch.stack(labels), list(ids))
