"""What a data set of keypoints is like, as far as a plan depends on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.formats import photograph
from datamodules.keypoints import UNLABELLED, PoseListing, PoseSample
from datamodules.pose_subjects import choose_subject, sides_without_partner, subject_box
from pipeline.planning.quantities import size_text

_MOST_IMAGES = 60  # whose sizes are looked up; frames of a set are mostly of one size
_BODY = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_LEAST_SEEN = 0.3  # of the subjects, in which both ends of the longest axis are labelled


@dataclass(frozen=True)
class PosePrint:
    """A data set of keypoints in numbers.

    Args:
        subjects: How many are labelled.
        images: In how many images.
        groups: Videos or images, which a split never parts.
        format: Of the annotations.
        joints: Their names.
        labelled: Share of the joints that is labelled.
        pairs: Left and right joints by name.
        lonely: Joints with a side by their name but no partner.
        persons: Whether the joints are those of persons.
        subject: What is cut out, the subject's box or the whole image, and why.
        image_px: Median width and height of the images.
        box_px: Median width and height of what is cut out for a subject, without padding.
        extent_px: Median of the longer side of a subject's labelled joints.
        nearest_px: Median distance of a joint to the nearest other one of its subject.
        turned_degrees: Spread of the angle of the subjects' longest axis: 0 where all lie alike.
        axis: The two joints at the ends of that axis.
        spread: Of the subjects' extents, the 5th and the 95th percentile over the median.
    """

    subjects: int
    images: int
    groups: int
    format: str
    joints: tuple[str, ...]
    labelled: float
    pairs: tuple[tuple[str, str], ...]
    lonely: tuple[str, ...]
    persons: bool
    subject: tuple[Literal["box", "image"], str]
    image_px: tuple[float, float]
    box_px: tuple[float, float]
    extent_px: float
    nearest_px: float
    turned_degrees: float
    axis: tuple[str, str] | None
    spread: tuple[float, float] = (1.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return it in words, a few lines."""
        pairs = ", ".join(f"{left}/{right}" for left, right in self.pairs) or "none"
        axis = f"from {self.axis[0]} to {self.axis[1]} " if self.axis else ""
        return [
            f"{self.subjects} subjects on {self.images} images of {self.groups} groups, format {self.format}",
            f"{len(self.joints)} joints, {self.labelled:.0%} labelled: {', '.join(self.joints)}",
            f"left and right pairs: {pairs}",
            f"images: median {size_text(self.image_px)} pixels; cut out: {size_text(self.box_px)}, {self.subject[1]}",
            f"a subject's joints span {self.extent_px:.0f} pixels, the nearest two lie {self.nearest_px:.0f} apart",
            f"the longest axis {axis}turns by +- {self.turned_degrees:.0f} degrees",
        ]


def take_pose_fingerprint(listing: PoseListing) -> PosePrint:
    """Summarise the annotations of a data set; of its images only some are read, for their size."""
    samples = [sample for sample in listing.samples if sample.visibility.any()]
    names = listing.skeleton.names
    images = list(dict.fromkeys(sample.image for sample in samples))
    drawn = images[:: -(-len(images) // _MOST_IMAGES)]
    sizes = {path: photograph.read(path).shape[1::-1] for path in drawn}
    width, height = (float(value) for value in np.median(list(sizes.values()), axis=0))
    subject, reason = choose_subject(samples, listing.format, "auto")
    boxes = [subject_box(sample, sizes[sample.image], subject)[2:] for sample in samples if sample.image in sizes]
    box_width, box_height = (float(value) for value in np.median(boxes, axis=0))
    turned, axis = _turning(samples, names)
    extents = np.array([np.ptp(points, axis=0).max() for points in map(_labelled, samples)])
    low, middle, high = (float(value) for value in np.percentile(extents, (5, 50, 95)))
    return PosePrint(
        subjects=len(samples),
        images=len(images),
        groups=len({sample.group for sample in samples}),
        format=listing.format,
        joints=names,
        labelled=float(np.mean([sample.visibility != UNLABELLED for sample in samples])),
        pairs=tuple((names[left], names[right]) for left, right in listing.skeleton.pairs),
        lonely=sides_without_partner(listing.skeleton),
        persons=_are_persons(listing),
        subject=(subject, reason),
        image_px=(width, height),
        box_px=(box_width, box_height),
        extent_px=middle,
        nearest_px=_nearest(samples),
        turned_degrees=turned,
        axis=axis,
        spread=(low / middle, high / middle) if middle else (1.0, 1.0),
    )


def _are_persons(listing: PoseListing) -> bool:
    """Tell persons by their format, or by the names of limbs that animals are rarely labelled with in full."""
    joined = " ".join(listing.skeleton.names).lower()
    return listing.format in ("lsp", "mpii") or sum(part in joined for part in _BODY) >= len(_BODY) - 1


def _labelled(sample: PoseSample) -> NDArray[np.float32]:
    points: NDArray[np.float32] = sample.keypoints[sample.visibility != UNLABELLED]
    return points


def _nearest(samples: Sequence[PoseSample]) -> float:
    """Return the median distance from a joint to the nearest other one in pixels; 0 where none has two joints."""
    found: list[float] = []
    for points in map(_labelled, samples):
        if len(points) > 1:
            apart = np.linalg.norm(points[:, None] - points[None], axis=2)
            np.fill_diagonal(apart, np.inf)
            found += apart.min(axis=1).tolist()
    return float(np.median(found)) if found else 0.0


def _turning(samples: Sequence[PoseSample], names: Sequence[str]) -> tuple[float, tuple[str, str] | None]:
    """Return the circular deviation in degrees of the longest axis between two joints, and the joints.

    Source: Mardia and Jupp 2000, Directional Statistics, section 2.3, for the deviation of angles.
    """
    points = np.stack([sample.keypoints for sample in samples]).astype(np.float64)
    seen = np.stack([sample.visibility != UNLABELLED for sample in samples])
    best, turned, axis = 0.0, 0.0, None
    for first, second in combinations(range(len(names)), 2):
        both = seen[:, first] & seen[:, second]
        way = points[both, second] - points[both, first]
        length = np.hypot(*way.T)
        if both.mean() < _LEAST_SEEN or not length.any() or np.median(length) <= best:
            continue
        way = way[length > 0] / length[length > 0, None]
        agreement = min(1.0, float(np.hypot(*way.mean(axis=0))))
        best, axis = float(np.median(length)), (names[first], names[second])
        turned = min(180.0, math.degrees(math.sqrt(-2 * math.log(max(agreement, 1e-9)))))
    return turned, axis
