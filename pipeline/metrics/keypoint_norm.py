"""The length that pose errors are measured by: torso, box or head of the annotated subject."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datamodules.keypoints import UNLABELLED, Box, PoseSample, Skeleton

# A joint is right within this share of the norm. PCK of the torso and PCKh are most often given at these. A box is the
# whole subject, an animal from snout to tail: a fifth of it would call the ear the snout, so right is a twentieth.
RIGHT_WITHIN = {"torso": 0.2, "box": 0.05, "head": 0.5}
# What names of joints come down to without case and punctuation; `lsho` and `rhip` are those of FLIC.
_LEFT_SHOULDER = ("leftshoulder", "lshoulder", "shoulderleft", "shoulderl", "lsho")
_RIGHT_HIP = ("righthip", "rhip", "hipright", "hipr")


@dataclass(frozen=True)
class KeypointNorm:
    """The norm of PCK for every subject of a data set.

    Args:
        kind: "torso" is the distance of two joints; "box" the larger side of the subject's box; "head" 0.6 of the
            head box's diagonal, the norm of PCKh (Andriluka and others, CVPR 2014, section 5).
        joints: Indices of the two joints of "torso", None otherwise.
        annotated: "box" is the annotated one, else the smallest that holds the labelled joints.

    Raises:
        ValueError: If "torso" has no two different joints, or another kind has joints.
    """

    kind: Literal["torso", "box", "head"]
    joints: tuple[int, int] | None = None
    annotated: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("torso", "box", "head"):
            raise ValueError(f"norm: expected torso, box or head, found {self.kind!r}")
        if (self.kind == "torso") != (self.joints is not None):
            raise ValueError(f"norm: expected two joints for a torso and none otherwise, found {self}")
        if self.joints is not None and (len(self.joints) != 2 or self.joints[0] == self.joints[1]):
            raise ValueError(f"norm: expected two different joints, found {self.joints}")

    def length_px(self, sample: PoseSample) -> float | None:
        """Return a subject's norm in pixels of its image, None where its annotation does not give it."""
        if self.kind == "head":
            length = sample.head_size_px
        elif self.joints is not None:
            length = _distance(sample, *self.joints)
        else:
            box = sample.box if self.annotated else labelled_box(sample)
            length = None if box is None else max(box[2], box[3])
        # A length of 0 would ask for an error of 0 at any threshold.
        return float(length) if length is not None and np.isfinite(length) and length > 0 else None


def choose_norm(
    kind: Literal["auto", "torso", "box", "head"],
    joints: tuple[str, str] | None,
    skeleton: Skeleton,
    samples: Sequence[PoseSample],
) -> tuple[KeypointNorm, str]:
    """Choose the norm of a data set, and say in words what it is and why.

    The torso reaches from the left shoulder to the right hip, as is usual for FLIC and LSP (Sapp and Taskar, CVPR
    2013, section 4), unless two joints are named. "auto" takes the head where every subject has its size, else the
    torso where such joints exist, else the box.

    Args:
        kind: What is asked for.
        joints: Names of the two joints of the torso, None for those found by their names.
        skeleton: The joints of the data set.
        samples: The annotated subjects.

    Raises:
        ValueError: If joints are named that do not exist or for a norm without joints, or no subject has the norm.
    """
    if kind not in ("auto", "torso", "box", "head"):
        raise ValueError(f"norm: expected auto, torso, box or head, found {kind!r}")
    if joints is not None and kind in ("box", "head"):
        raise ValueError(f"norm_joints: expected only with the norm torso or auto, found {joints} with {kind}")
    if joints is None and (kind == "head" or (kind == "auto" and _every_head(samples))):
        norm, words = KeypointNorm("head"), "0.6 of the head box's diagonal (PCKh)"
    elif kind != "box" and (torso := _torso(joints, skeleton, samples, kind == "torso")) is not None:
        names = " and ".join(skeleton.names[joint] for joint in torso)
        norm, words = KeypointNorm("torso", torso), f"the distance between {names} (torso)"
    else:
        annotated = bool(samples) and all(sample.box is not None for sample in samples)
        norm = KeypointNorm("box", annotated=annotated)
        words = f"the larger side of the box {'that is annotated' if annotated else 'around the labelled joints'}"
    return norm, f"{words}{_why(kind, joints, norm)}{_shares(norm, samples)}"


def labelled_box(sample: PoseSample) -> Box | None:
    """Return the smallest box that holds the labelled joints, None where none is labelled."""
    points = sample.keypoints[sample.visibility != UNLABELLED].astype(np.float64)
    if len(points) == 0:
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    return (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


def _distance(sample: PoseSample, first: int, second: int) -> float | None:
    if UNLABELLED in (sample.visibility[first], sample.visibility[second]):
        return None
    return float(np.linalg.norm(sample.keypoints[first].astype(np.float64) - sample.keypoints[second]))


def _every_head(samples: Sequence[PoseSample]) -> bool:
    return bool(samples) and all(sample.head_size_px is not None for sample in samples)


def _torso(
    names: tuple[str, str] | None, skeleton: Skeleton, samples: Sequence[PoseSample], demanded: bool
) -> tuple[int, int] | None:
    """Return the two joints, None where "auto" has to go on to the box."""
    if names is not None:
        first, second = skeleton.indices(names)
        return first, second
    plain = [re.sub(r"[^a-z]", "", name.lower()) for name in skeleton.names]
    found = [
        next((plain.index(name) for name in known if name in plain), None) for known in (_LEFT_SHOULDER, _RIGHT_HIP)
    ]
    if found[0] is None or found[1] is None:
        if demanded:
            raise ValueError(
                f"norm torso: expected joints left_shoulder and right_hip, found {', '.join(skeleton.names)}; "
                "name two joints in norm_joints, or take the norm box"
            )
        return None
    torso = (found[0], found[1])
    labelled = any(KeypointNorm("torso", torso).length_px(sample) is not None for sample in samples)
    return torso if labelled or demanded else None


def _why(kind: str, joints: tuple[str, str] | None, norm: KeypointNorm) -> str:
    if kind != "auto" or joints is not None:
        return ", as asked for"
    reasons = {
        "head": "every subject has a head box",
        "torso": "the joints are labelled and there is no head box for every subject",
        "box": "there is no head box for every subject and nobody's left shoulder and right hip are labelled",
    }
    return f", as {reasons[norm.kind]}"


def _shares(norm: KeypointNorm, samples: Sequence[PoseSample]) -> str:
    """Tell how many subjects lack the norm; refuse a norm that none has."""
    lacking = sum(norm.length_px(sample) is None for sample in samples)
    if samples and lacking == len(samples):
        raise ValueError(
            f"norm {norm.kind}: expected subjects that have it, found none of {len(samples)}; take another"
        )
    return f"; {lacking} of {len(samples)} subjects lack it and are left out of PCK" if lacking else ""
