"""Joints and who has them: the skeleton of a data set, and its annotated subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNLABELLED, OCCLUDED, VISIBLE = 0, 1, 2

Box = tuple[float, float, float, float]  # x and y of the upper left corner, width, height, in pixels


@dataclass(frozen=True)
class Skeleton:
    """The joints of a data set, in the order of their heatmaps.

    Args:
        names: One name per joint, all different.
        edges: Pairs of joint indices to be drawn as limbs.
        pairs: Pairs of joint indices, left and right, that a mirror exchanges.

    Raises:
        ValueError: If names repeat, or an index is none of a joint's.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"joint names: expected at least one, all different, found {list(self.names)}")
        paired = [joint for pair in self.pairs for joint in pair]
        if len(set(paired)) != len(paired):
            raise ValueError(f"left and right pairs: expected each joint in one at most, found {self.pairs}")
        wrong = [joint for pair in (*self.edges, *self.pairs) for joint in pair if not 0 <= joint < len(self.names)]
        if wrong:
            raise ValueError(f"edges and pairs: expected joints from 0 to {len(self.names) - 1}, found {wrong[0]}")

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Return for each joint the one that lies in its place in a mirror image."""
        order = list(range(len(self.names)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)

    def indices(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return the indices of joints by name.

        Raises:
            ValueError: If a name is no joint's.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise ValueError(f"expected joints of {', '.join(self.names)}, found {unknown[0]}")
        return tuple(self.names.index(name) for name in names)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> Skeleton:
        """Rebuild from `to_dict`, or from its JSON."""
        edges, pairs = ([(int(a), int(b)) for a, b in description[key]] for key in ("edges", "pairs"))
        return cls(tuple(str(name) for name in description["names"]), tuple(edges), tuple(pairs))


@dataclass(frozen=True)
class PoseSample:
    """One annotated subject of one image.

    Args:
        id: Its name, unique in the data set.
        group: What must stay on one side of a split: a video, a patient, or the image itself.
        image: The image's file.
        keypoints: x and y in pixels [K, 2], float32; a pixel's centre has integer coordinates. Rows of unlabelled
            joints are zero.
        visibility: One of UNLABELLED, OCCLUDED, VISIBLE for each joint [K], uint8.
        box: The subject's box in the same coordinates, None where the annotations have none.
        head_size_px: The norm of PCKh, 0.6 of the head box's diagonal, None where no head box is annotated.
        area_px: The subject's area for object keypoint similarity, None where it is not annotated.
    """

    id: str
    group: str
    image: Path
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    box: Box | None = None
    head_size_px: float | None = None
    area_px: float | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files that the sample is read from."""
        return (self.image,)


@dataclass(frozen=True)
class PoseListing:
    """What a folder of annotated images holds.

    Args:
        samples: The subjects, in an order that depends on the annotations alone.
        skeleton: Their joints.
        format: "coco", "deeplabcut", "lsp" or "mpii".
        origins: Where names, edges and pairs come from, each in a sentence, for the log.
    """

    samples: tuple[PoseSample, ...]
    skeleton: Skeleton
    format: str
    origins: tuple[str, ...] = ()
