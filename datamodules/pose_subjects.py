"""Which annotated subjects can be learned from, where each is cut out, and whether a mirror image makes sense."""

import logging
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from datamodules.cropping import whole_image
from datamodules.image_store import ImageStore
from datamodules.keypoints import UNLABELLED, Box, PoseListing, PoseSample, Skeleton
from datamodules.pose_dataset import Subject

log = logging.getLogger(__name__)

_LEAST_BOX_PX = 16.0  # edges of a box made of joints, which may be few and close together
# left or right anywhere; else L or R that stands alone, or as a capital between small letters and capitals
_SIDED = re.compile(r"(?i:left|right)|(?:^|[\W_])[lLrR](?:$|[\W_])|(?<=[a-z0-9])[LR](?=$|[A-Z_])|^[LR](?=[A-Z][a-z])")


def choose_subject(
    listing: PoseListing, choice: Literal["auto", "box", "image"]
) -> tuple[Literal["box", "image"], str]:
    """Return what is cut out of the images, and why.

    With "auto" it is the subject's box where boxes are annotated or the format is one of persons, else the image.
    """
    if choice != "auto":
        return choice, "data.subject says so"
    boxes = sum(sample.box is not None for sample in listing.samples)
    if boxes:
        return "box", f"{boxes} of {len(listing.samples)} subjects have a box"
    if listing.format in ("lsp", "mpii"):
        return "box", f"the format {listing.format} is one of persons"
    return "image", "no subject has a box"


def subject_box(sample: PoseSample, image_size: tuple[int, int], subject: Literal["box", "image"]) -> Box:
    """Return the box that is cut out for a subject.

    Args:
        sample: The subject; without a box that reaches into the image, that of its labelled joints is taken.
        image_size: Width and height of its image in pixels.
        subject: "image" takes the whole image.
    """
    if subject == "image":
        return whole_image(*image_size)
    if sample.box is not None and _box_in_view(sample.box, image_size):
        return sample.box
    labelled = sample.keypoints[sample.visibility != UNLABELLED].astype(np.float64)
    low, high = labelled.min(axis=0), labelled.max(axis=0)
    extent = np.maximum(high - low, _LEAST_BOX_PX)
    x, y = (low + high - extent) / 2
    return (float(x), float(y), float(extent[0]), float(extent[1]))


def usable(samples: Sequence[PoseSample], images: ImageStore) -> list[PoseSample]:
    """Return the subjects that something can be learned from; a log line names the others with the reason.

    Left out are those without a labelled joint, and those that lie outside of their image with all labelled joints.
    A joint alone may lie outside.
    """
    unlabelled = [sample for sample in samples if not sample.visibility.any()]
    absent = [s for s in samples if s.visibility.any() and not _in_view(s, images.size(s.image))]
    for reason, found in (("have no labelled joint", unlabelled), ("lie outside of their image", absent)):
        if found:
            names = _listed([sample.id for sample in found])
            log.warning("%d of %d subjects %s and are left out: %s", len(found), len(samples), reason, names)
    dropped = {sample.id for sample in (*unlabelled, *absent)}
    return [sample for sample in samples if sample.id not in dropped]


def _in_view(sample: PoseSample, image_size: tuple[int, int]) -> bool:
    joints = sample.keypoints[sample.visibility != UNLABELLED]
    return bool(((joints > -0.5) & (joints < np.array(image_size) - 0.5)).all(axis=1).any())


def _box_in_view(box: Box, image_size: tuple[int, int]) -> bool:
    x, y, width, height = box
    inside = x < image_size[0] and y < image_size[1] and x + width > 0 and y + height > 0
    return bool(np.isfinite(box).all()) and min(width, height) > 0 and inside


def warn_of_boxes(samples: Sequence[PoseSample], images: ImageStore) -> None:
    """Log which subjects' boxes cannot be used, and which hold less than half of the labelled joints."""
    boxed = [(sample, sample.box) for sample in samples if sample.box is not None]
    absent = [sample.id for sample, box in boxed if not _box_in_view(box, images.size(sample.image))]
    if absent:
        log.warning(
            "%d of %d boxes have no extent or lie outside of their image; the joints' own are taken: %s",
            len(absent),
            len(boxed),
            _listed(absent),
        )
    lost = set(absent)
    foreign = [s.id for s, box in boxed if s.id not in lost and not _holds_joints(box, s)]
    if foreign:
        log.warning(
            "%d of %d boxes hold less than half of their subject's joints, even at double size; check that they are x, "
            "y, width and height in pixels: %s",
            len(foreign),
            len(boxed),
            _listed(foreign),
        )


def _holds_joints(box: Box, sample: PoseSample) -> bool:
    joints = sample.keypoints[sample.visibility != UNLABELLED]
    corner, extent = np.array(box[:2]), np.array(box[2:])
    return bool((np.abs(joints - corner - extent / 2) <= extent).all(axis=1).mean() >= 0.5)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def to_subject(sample: PoseSample, images: ImageStore, subject: Literal["box", "image"]) -> Subject:
    """Return a sample ready to be cut out."""
    box = subject_box(sample, images.size(sample.image), subject)
    return Subject(sample.id, sample.image, box, sample.keypoints, sample.visibility)


def sides_without_partner(skeleton: Skeleton) -> tuple[str, ...]:
    """Return the joints that have a side by their name, but are in no left-right pair.

    A mirror image would show such a joint on a side that its name denies.
    """
    paired = {joint for pair in skeleton.pairs for joint in pair}
    return tuple(name for joint, name in enumerate(skeleton.names) if joint not in paired and _SIDED.search(name))
