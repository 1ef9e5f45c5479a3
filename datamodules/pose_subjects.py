"""Which annotated subjects can be learned from, where each is cut out, and whether a mirror image makes sense."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.cropping import whole_image
from datamodules.formats.errors import DataError
from datamodules.image_store import ImageStore
from datamodules.keypoints import UNLABELLED, Box, PoseSample, Skeleton
from datamodules.pose_dataset import Subject

log = logging.getLogger(__name__)

_LEAST_BOX_PX = 16.0  # edges of a box made of joints, which may be few and close together
# A joint this share of the image's longer side beyond its border is more likely a slip than one out of view.
_FAR = 0.25
# left or right anywhere; else L or R that stands alone, or as a capital between small letters and capitals
_SIDED = re.compile(r"(?i:left|right)|(?:^|[\W_])[lLrR](?:$|[\W_])|(?<=[a-z0-9])[LR](?=$|[A-Z_])|^[LR](?=[A-Z][a-z])")
_BARE_LEFT = re.compile(r"(?<![A-Za-z])l(?=[a-z])")


def choose_subject(
    samples: Sequence[PoseSample], format: str, choice: Literal["auto", "box", "image"]
) -> tuple[Literal["box", "image"], str]:
    """Return what is cut out of the images, and why.

    With "auto" it is the subject's box where boxes are annotated, an image shows several subjects, or the format is one
    of persons, else the image. Whole images that show several would ask for other joints of the same pixels.

    Args:
        samples: The subjects that are used.
        format: That of their annotations.
        choice: What the options say.

    Raises:
        DataError: If whole images are chosen and one shows several subjects.
    """
    of_image = Counter(sample.image for sample in samples)
    shared = [image for image, count in of_image.items() if count > 1]
    if choice == "image" and shared:
        found = f"{of_image[shared[0]]} in this one, several in {len(shared)} of {len(of_image)} images"
        remedy = "set data.subject to box, or to auto, which takes boxes here"
        raise DataError(shared[0], "one subject in each image, as data.subject is image", found, remedy)
    if choice != "auto":
        return choice, "data.subject says so"
    boxes = sum(sample.box is not None for sample in samples)
    if boxes:
        return "box", f"{boxes} of {len(samples)} subjects have a box"
    if shared:
        return "box", f"{len(shared)} of {len(of_image)} images show several subjects"
    if format in ("lsp", "mpii"):
        return "box", f"the format {format} is one of persons"
    return "image", "no subject has a box"


def subject_box(sample: PoseSample, image_size: tuple[int, int], subject: Literal["box", "image"]) -> Box:
    """Return the box that is cut out for a subject.

    Args:
        sample: The subject, one of whose labelled joints lies in its image. Without a box that reaches into the image,
            that of its labelled joints is taken, less those that are far outside: by over a quarter of the image's
            longer side.
        image_size: Width and height of its image in pixels.
        subject: "image" takes the whole image.
    """
    if subject == "image":
        return whole_image(*image_size)
    if sample.box is not None and _box_in_view(sample.box, image_size):
        return sample.box
    near = (sample.visibility != UNLABELLED) & ~_far(sample, image_size)
    joints = sample.keypoints[near].astype(np.float64)
    low, high = joints.min(axis=0), joints.max(axis=0)
    extent = np.maximum(high - low, _LEAST_BOX_PX)
    x, y = (low + high - extent) / 2
    return (float(x), float(y), float(extent[0]), float(extent[1]))


def _far(sample: PoseSample, image_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which labelled joints [K] lie far outside of the image."""
    points = sample.keypoints.astype(np.float64)
    beyond = np.maximum(-0.5 - points, points - (np.array(image_size) - 0.5)).max(axis=1)
    far: NDArray[np.bool_] = (sample.visibility != UNLABELLED) & (beyond > _FAR * max(image_size))
    return far


def warn_of_far_joints(samples: Sequence[PoseSample], images: ImageStore) -> None:
    """Log which subjects have joints far outside of their image."""
    far = {sample.id: int(_far(sample, images.size(sample.image)).sum()) for sample in samples}
    names = [name for name, count in far.items() if count]
    if names:
        log.warning("%d joints lie far outside of their images; check them in %s", sum(far.values()), _listed(names))


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

    A mirror image would show such a joint on a side that its name denies. So may it with two that differ by an l and r
    in front, like `lear` and `rear`, or not, like `lump` and `rump`.
    """
    paired = {joint for pair in skeleton.pairs for joint in pair}
    alone = [name for joint, name in enumerate(skeleton.names) if joint not in paired]
    twins = {name: _BARE_LEFT.sub("r", name) for name in alone if _BARE_LEFT.search(name)}
    doubtful = {joint for left, right in twins.items() if right in alone for joint in (left, right)}
    return tuple(name for name in alone if _SIDED.search(name) or name in doubtful)
