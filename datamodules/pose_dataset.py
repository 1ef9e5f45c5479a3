"""Subjects cut out of their images: changed at random for training, plainly for validation."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.cropping import PosePreprocessing, cut, invert, transform
from datamodules.image_store import ImageStore
from datamodules.keypoints import UNLABELLED, Box
from datamodules.pose_appearance import Appearance
from datamodules.pose_augmentation import PoseAugmentation
from datamodules.pose_geometry import draw_affine


class PoseBatch(NamedTuple):
    """Subjects with their joints.

    Attributes:
        image: RGB, uint8 [B, 3, H, W], in the channels-last layout.
        keypoints: x and y in pixels of the input, float32 [B, K, 2]; rows of unlabelled joints are zero, other joints
            may lie outside of the input.
        visibility: UNLABELLED, OCCLUDED or VISIBLE, uint8 [B, K].
        to_original: Map from pixels of the input to those of the image, float64 [B, 2, 3].
        case_id: The subject of each sample.
    """

    image: Tensor
    keypoints: Tensor
    visibility: Tensor
    to_original: Tensor
    case_id: list[str]


class Subject(NamedTuple):
    """A subject, ready to be cut out: its image's file, its box and its joints in pixels of the image."""

    id: str
    image: Path
    box: Box
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]


class PoseSampleArrays(NamedTuple):
    """One sample of a batch: image [H, W, 3], keypoints [K, 2], visibility [K], to_original [2, 3] and the id."""

    image: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    to_original: NDArray[np.float64]
    case_id: str


def cut_out(
    subject: Subject, images: ImageStore, to_original: NDArray[np.float64], size: tuple[int, int]
) -> PoseSampleArrays:
    """Cut a subject out of its image.

    Args:
        subject: Whom.
        images: Where its image is read.
        to_original: Map [2, 3] from the pixels of the cut to those of the image.
        size: Width and height of the cut.
    """
    image = cut(images.load(subject.image), to_original, size)
    keypoints = transform(invert(to_original), subject.keypoints).astype(np.float32)
    keypoints[subject.visibility == UNLABELLED] = 0.0
    return PoseSampleArrays(image, keypoints, subject.visibility, to_original, subject.id)


class TrainingSubjects(Dataset[PoseSampleArrays]):
    """Draw subjects; sample `n` is the same whenever and wherever it is drawn (see `EpochSampler`).

    Every turn goes through all subjects in an order of its own.

    Args:
        subjects: Whom to draw.
        images: Their images.
        preprocessing: How they are cut out.
        augmentation: Random changes; None for none.
        mirrored: For each joint the one in its place in a mirror image.
        seed: Seed of every draw.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        images: ImageStore,
        preprocessing: PosePreprocessing,
        *,
        augmentation: PoseAugmentation | None,
        mirrored: Sequence[int],
        seed: int,
    ) -> None:
        self.subjects = list(subjects)
        self.images = images
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.appearance = Appearance(augmentation) if augmentation else None
        self.mirrored = list(mirrored)
        self.seed = seed
        self._turn, self._order = -1, np.zeros(0, np.int64)

    def __getitem__(self, number: int) -> PoseSampleArrays:
        """Return sample `number`."""
        subject = self.subjects[self._subject_of(number)]
        if self.augmentation is None or self.appearance is None:
            affine = self.preprocessing.affine(subject.box)
            return cut_out(subject, self.images, affine, self.preprocessing.input_size)
        rng = np.random.default_rng((self.seed, number))
        affine, mirror = draw_affine(
            self.augmentation, self.preprocessing, subject.box, subject.keypoints, subject.visibility, rng
        )
        sample = cut_out(subject, self.images, affine, self.preprocessing.input_size)
        keypoints, visibility = sample.keypoints, sample.visibility
        if mirror:
            keypoints, visibility = keypoints[self.mirrored], visibility[self.mirrored]
        image, visibility = self.appearance(sample.image, keypoints, visibility, rng)
        return sample._replace(image=image, keypoints=keypoints, visibility=visibility)

    def _subject_of(self, number: int) -> int:
        turn, place = divmod(number, len(self.subjects))
        if turn != self._turn:
            self._turn = turn
            self._order = np.random.default_rng((self.seed, turn, 1)).permutation(len(self.subjects))
        return int(self._order[place])


class ValidationSubjects(Dataset[PoseSampleArrays]):
    """Every subject once, cut out as in prediction.

    Args:
        subjects: Whom.
        images: Their images.
        preprocessing: How they are cut out.
    """

    def __init__(self, subjects: Sequence[Subject], images: ImageStore, preprocessing: PosePreprocessing) -> None:
        self.subjects = list(subjects)
        self.images = images
        self.preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self.subjects)

    def __getitem__(self, index: int) -> PoseSampleArrays:
        """Return one subject."""
        subject = self.subjects[index]
        return cut_out(subject, self.images, self.preprocessing.affine(subject.box), self.preprocessing.input_size)


def collate(samples: list[PoseSampleArrays]) -> PoseBatch:
    """Stack samples into a batch."""
    images, keypoints, visibility, affines, ids = zip(*samples, strict=True)
    return PoseBatch(
        # A view of [B, H, W, 3] is [B, 3, H, W] in the channels-last layout: nothing is moved.
        torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
        torch.from_numpy(np.stack(keypoints)),
        torch.from_numpy(np.stack(visibility)),
        torch.from_numpy(np.stack(affines)),
        list(ids),
    )
