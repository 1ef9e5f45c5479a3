"""A pose data set once its images were read: who is used, who validates, and how subjects are cut out."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datamodules.cropping import PosePreprocessing
from datamodules.formats.errors import DataError
from datamodules.hashing import digest_of
from datamodules.image_store import ImageStore
from datamodules.keypoints import PoseListing, PoseSample
from datamodules.pose_dataset import Subject
from datamodules.pose_range import pose_training_range
from datamodules.pose_subjects import choose_subject, to_subject, usable, warn_of_boxes, warn_of_far_joints
from datamodules.splits import Split, SplitChoice, split_cases

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedPoses:
    """Everything that is known once annotations and images were read.

    Args:
        listing: What was found.
        samples: The subjects that are used, by id.
        split: Which of them train and which validate.
        preprocessing: How they are cut out.
        images: Their images.
        training_range: What the training images span.
        digest: SHA-256 over images and annotations.
    """

    listing: PoseListing
    samples: dict[str, PoseSample]
    split: Split
    preprocessing: PosePreprocessing
    images: ImageStore
    training_range: dict[str, Any]
    digest: str

    def subjects(self, ids: Sequence[str]) -> list[Subject]:
        """Return subjects ready to be cut out."""
        return [to_subject(self.samples[id_], self.images, self.preprocessing.subject) for id_ in ids]


def prepare_poses(
    root: Path,
    listing: PoseListing,
    images: ImageStore,
    split: SplitChoice,
    *,
    input_size: tuple[int, int],
    subject: Literal["auto", "box", "image"],
    padding: float,
) -> PreparedPoses:
    """Decide who trains, who validates, and how subjects are cut out.

    Args:
        root: The data set, for messages.
        listing: Its subjects.
        images: Their images.
        split: Which groups validate.
        input_size: Width and height of the network's input in pixels.
        subject: What is cut out, as for `PoseData`.
        padding: A box is this many times as large when it is cut out.

    Raises:
        DataError: If an image is in two groups, there are fewer groups than folds, or whole images are asked for and
            one shows several subjects.
    """
    refuse_parted_images(root, listing.samples, images)
    samples = {sample.id: sample for sample in usable(listing.samples, images)}
    chosen, reason = choose_subject(list(samples.values()), listing.format, subject)
    log.info("Subjects are cut out by %s: %s", "their boxes" if chosen == "box" else "whole images", reason)
    warn_of_far_joints(list(samples.values()), images)
    if chosen == "box":
        warn_of_boxes(list(samples.values()), images)
    folds = _folds(split, {sample.group for sample in samples.values()})
    parts = split_cases(list(samples.values()), fold=split.fold, folds=folds, seed=split.seed)
    preprocessing = PosePreprocessing(input_size, chosen, padding)
    training = [to_subject(samples[id_], images, chosen) for id_ in parts.train]
    return PreparedPoses(
        listing=listing,
        samples=samples,
        split=parts,
        preprocessing=preprocessing,
        images=images,
        training_range=pose_training_range(training, images, preprocessing),
        digest=digest_poses(listing, images),
    )


def _folds(split: SplitChoice, groups: set[str]) -> int:
    """Return the number of folds: one per group where there are fewer groups, as of a project of three videos."""
    if not split.fold < len(groups) < split.folds or len(groups) < 2:
        return split.folds
    log.warning(
        "There are %d groups (%s), fewer than data.split.folds: each is a fold of its own, and %.0f %% of them "
        "validate",
        len(groups),
        ", ".join(sorted(groups)),
        100 / len(groups),
    )
    return len(groups)


def refuse_parted_images(root: Path, samples: Sequence[PoseSample], images: ImageStore) -> None:
    """Refuse a data set that holds an image twice in different groups, as it could both train and validate.

    Raises:
        DataError: With the names of such images.
    """
    firsts: dict[str, PoseSample] = {}
    doubled: dict[str, None] = {}
    for sample in samples:
        first = firsts.setdefault(images.contents[sample.image], sample)
        if first.group != sample.group:
            doubled[f"{first.image.name} and {sample.image.name}"] = None
    if doubled:
        names = list(doubled)
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        remedy = "remove one of each, or give them one group with data.split.group_pattern"
        raise DataError(root, "every image in one group", f"the same bytes in {listed}", remedy)


def digest_poses(listing: PoseListing, images: ImageStore) -> str:
    """Return a SHA-256 over the images' bytes, the skeleton and all annotations, but no file names."""
    parts = [json.dumps(listing.skeleton.to_dict())]
    for sample in listing.samples:
        digest = hashlib.sha256(images.contents[sample.image].encode())
        digest.update(sample.keypoints.tobytes() + sample.visibility.tobytes())
        digest.update(json.dumps([sample.box, sample.head_size_px, sample.area_px]).encode())
        parts.append(digest.hexdigest())
    return digest_of(parts)
