"""The way back from a prepared grid to the file's own grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.affine_resampling import AffineResampler
from datamodules.formats.geometry import Affine, Box, Geometry, Shape
from datamodules.geometry import crop, from_canonical
from datamodules.resampling import Resampler, SlabResampler

_ALIGNED = 1e-6  # voxels by which the corners of grids of one extent may seem to differ, from rounding alone


@dataclass(frozen=True, eq=False)
class Grid:
    """Keep what was done to a volume's grid, so that it can be undone exactly.

    Args:
        source: The file's grid.
        box: The part that was kept, in canonical orientation.
        prepared: The grid that the network sees: the box, resampled, and made orthogonal where it was sheared.
    """

    source: Geometry
    box: Box
    prepared: Geometry

    @property
    def source_shape(self) -> Shape:
        """Return the voxels (X, Y, Z) of the file."""
        return self.source.shape

    @property
    def source_affine(self) -> Affine:
        """Return the file's affine [4, 4] to RAS+ mm."""
        return self.source.affine

    @property
    def shape(self) -> Shape:
        """Return the voxels (X', Y', Z') of the prepared grid."""
        return self.prepared.shape

    @property
    def affine(self) -> Affine:
        """Return the prepared grid's affine [4, 4]."""
        return self.prepared.affine

    @property
    def to_source(self) -> Affine:
        """Return the one matrix [4, 4] from prepared indices to the file's: orientation, crop and resampling."""
        return self.prepared.index_map(self.source)

    def preparing(self) -> Resampler:
        """Return what resamples from the box to the prepared grid."""
        return _resampler(self._kept, self.prepared)

    def restoring(self) -> Resampler:
        """Return what resamples from the prepared grid to the box."""
        return _resampler(self.prepared, self._kept)

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
        resampler = self.restoring()
        if overlapping:
            present = np.zeros((len(scores), *self._canonical.shape), dtype=np.uint8)
            for target, source in resampler.slabs():
                for channel, logits in zip(crop(present, self.box), scores, strict=True):
                    channel[target] = (resampler(logits[source], target, source) > 0).numpy()
            return np.ascontiguousarray(from_canonical(present, self.source_affine))
        labels = np.zeros(self._canonical.shape, dtype=np.uint8 if len(scores) <= 256 else np.uint16)
        for target, source in resampler.slabs():
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
        resampler = self.restoring()
        restored = np.zeros((len(scores), *self._canonical.shape), dtype=np.float32)
        if not overlapping:
            restored[0] = 1
        for target, source in resampler.slabs():
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
            Geometry(_shape(description["source_shape"]), np.array(description["source_affine"])),
            ((x0, x1), (y0, y1), (z0, z1)),
            Geometry(_shape(description["shape"]), np.array(description["affine"])),
        )

    @property
    def _canonical(self) -> Geometry:
        """Return the file's grid in canonical orientation."""
        return self.source.canonical()

    @property
    def _kept(self) -> Geometry:
        """Return the grid of the box."""
        return self._canonical.cropped(self.box)

    def _check(self, scores: Tensor) -> None:
        """Refuse scores of another grid: resampling would make them fit and hide the mistake."""
        if scores.ndim != 4 or tuple(scores.shape[1:]) != self.shape:
            raise ValueError(f"scores are [K, {', '.join(map(str, self.shape))}], got {tuple(scores.shape)}")


def _resampler(source: Geometry, target: Geometry) -> Resampler:
    """Return the separable resampler for grids of one extent, else the general one."""
    to_source = target.index_map(source)
    separable = source.resampled(target.shape).index_map(source)
    corners = np.indices((2, 2, 2)).reshape(3, 8) * (np.array(target.shape)[:, None] - 1)
    apart = (to_source - separable)[:3] @ np.vstack([corners, np.ones(8)])
    if np.abs(apart).max() < _ALIGNED:
        return SlabResampler(source.shape, target.shape)
    return AffineResampler(to_source, source.shape, target.shape)


def _shape(values: list[int]) -> Shape:
    """Return three voxel counts as a tuple."""
    x, y, z = (int(value) for value in values)
    return x, y, z
