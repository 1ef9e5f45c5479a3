"""The way back from a prepared grid to the file's own grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.geometry import Box, Shape, box_shape, canonical_shape, crop, from_canonical
from datamodules.resampling import SlabResampler


@dataclass(frozen=True, eq=False)
class Grid:
    """Keep what was done to a volume's grid, so that it can be undone exactly.

    Args:
        source_shape: Voxels (X, Y, Z) of the file.
        source_affine: Its affine [4, 4] to RAS+ mm.
        box: The part that was kept, in canonical orientation.
        shape: Voxels of the prepared grid: the box, resampled.
        affine: The prepared grid's affine [4, 4].
    """

    source_shape: Shape
    source_affine: NDArray[np.float64]
    box: Box
    shape: Shape
    affine: NDArray[np.float64]

    def restore_labels(self, scores: Tensor, overlapping: bool = False) -> NDArray[Any]:
        """Turn scores on the prepared grid into labels on the file's grid.

        A few planes of one class at a time are resampled and compared with the best so far, so that memory
        does not grow with the number of classes.

        Args:
            scores: Logits or probabilities [K, X', Y', Z']; the largest wins, the first on a tie.
            overlapping: Each channel is a structure of its own, present where its logit is over 0.

        Returns:
            Class indices [X, Y, Z] as uint8, or uint16 for over 256 classes; for overlapping structures
            0 and 1 as uint8 [K, X, Y, Z]. Outside the crop all is 0.
        """
        self._check(scores)
        if overlapping:
            present = np.zeros((len(scores), *self._canonical), dtype=np.uint8)
            for target, source, resampler in self._slabs():
                for channel, logits in zip(crop(present, self.box), scores, strict=True):
                    channel[target] = (resampler(logits[source], target, source) > 0).numpy()
            return np.ascontiguousarray(from_canonical(present, self.source_affine))
        labels = np.zeros(self._canonical, dtype=np.uint8 if len(scores) <= 256 else np.uint16)
        for target, source, resampler in self._slabs():
            inside = crop(labels, self.box)[target]
            best = torch.full(inside.shape, -math.inf)
            for index, class_scores in enumerate(scores):
                values = resampler(class_scores[source], target, source)
                np.copyto(inside, index, where=(values > best).numpy())
                torch.maximum(best, values, out=best)
        return np.ascontiguousarray(from_canonical(labels, self.source_affine))

    def restore_scores(self, scores: Tensor, overlapping: bool = False) -> NDArray[np.float32]:
        """Turn probabilities on the prepared grid into probabilities on the file's grid.

        Args:
            scores: Probabilities [K, X', Y', Z'].
            overlapping: Each channel is a structure of its own; else channel 0 is the background.

        Returns:
            float32 [K, X, Y, Z]; outside the crop the background is certain.
        """
        self._check(scores)
        restored = np.zeros((len(scores), *self._canonical), dtype=np.float32)
        if not overlapping:
            restored[0] = 1
        for target, source, resampler in self._slabs():
            for channel, probabilities in zip(crop(restored, self.box), scores, strict=True):
                channel[target] = resampler(probabilities[source], target, source).numpy()
        return np.ascontiguousarray(from_canonical(restored, self.source_affine))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {
            "source_shape": list(self.source_shape),
            "source_affine": self.source_affine.tolist(),
            "box": [list(limits) for limits in self.box],
            "shape": list(self.shape),
            "affine": self.affine.tolist(),
        }

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> Grid:
        """Rebuild from `to_dict`, to the bit."""
        (x0, x1), (y0, y1), (z0, z1) = description["box"]
        return cls(
            source_shape=_shape(description["source_shape"]),
            source_affine=np.array(description["source_affine"], dtype=np.float64),
            box=((x0, x1), (y0, y1), (z0, z1)),
            shape=_shape(description["shape"]),
            affine=np.array(description["affine"], dtype=np.float64),
        )

    @property
    def _canonical(self) -> Shape:
        """Return the file's shape in canonical orientation."""
        return canonical_shape(self.source_affine, self.source_shape)

    def _slabs(self) -> Iterator[tuple[slice, slice, SlabResampler]]:
        """Yield planes of the crop box, the prepared planes they need, and what turns these into those."""
        resampler = SlabResampler(self.shape, box_shape(self.box))
        for target, source in resampler.slabs():
            yield target, source, resampler

    def _check(self, scores: Tensor) -> None:
        """Refuse scores of another grid: resampling would make them fit and hide the mistake."""
        if scores.ndim != 4 or tuple(scores.shape[1:]) != self.shape:
            raise ValueError(f"scores are [K, {', '.join(map(str, self.shape))}], got {tuple(scores.shape)}")


def _shape(values: list[int]) -> Shape:
    """Return three voxel counts as a tuple."""
    x, y, z = (int(value) for value in values)
    return x, y, z
