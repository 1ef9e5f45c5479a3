"""Distances between the surfaces of two masks: Hausdorff-95, average distance, surface Dice; all in mm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

Mask = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]
Spacing = tuple[float, float, float]

# Spacings are stored in 32 bits: 3 x 0.6 mm may come out a hair above a tolerance of 1.8 mm.
ROUNDING_MM = 1e-4


@dataclass(frozen=True)
class SurfaceDistances:
    """Hold the distance from every surface voxel of each mask to the other mask's surface.

    Surfaces are the voxels that touch the outside by a face; distances run between voxel centres.

    Attributes:
        from_prediction_mm: One distance per surface voxel of the prediction.
        from_reference_mm: One distance per surface voxel of the reference.
    """

    from_prediction_mm: Distances
    from_reference_mm: Distances

    @property
    def hausdorff95_mm(self) -> float:
        """Return the greater of the two directions' 95th percentiles."""
        return max(
            float(np.percentile(self.from_prediction_mm, 95)),
            float(np.percentile(self.from_reference_mm, 95)),
        )

    @property
    def average_mm(self) -> float:
        """Return the average symmetric surface distance: the mean over the voxels of both surfaces."""
        total = self.from_prediction_mm.sum() + self.from_reference_mm.sum()
        return float(total / (self.from_prediction_mm.size + self.from_reference_mm.size))

    def surface_dice(self, tolerance_mm: float) -> float:
        """Return the share of both surfaces that lies within a tolerance of the other.

        The normalised surface Dice of Nikolov and others (2018, arXiv:1809.04430), with each surface
        voxel counted once.
        """
        bound = tolerance_mm + ROUNDING_MM
        near = np.count_nonzero(self.from_prediction_mm <= bound)
        near += np.count_nonzero(self.from_reference_mm <= bound)
        return float(near / (self.from_prediction_mm.size + self.from_reference_mm.size))


def surface_distances(prediction: Mask, reference: Mask, spacing_mm: Spacing) -> SurfaceDistances:
    """Measure all distances between the surfaces of two masks.

    Args:
        prediction: Mask [X, Y, Z] with at least one voxel.
        reference: Mask [X, Y, Z] with at least one voxel.
        spacing_mm: Distance between voxel centres along each axis.

    Raises:
        ValueError: If the shapes differ or a mask is empty.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"masks of one shape expected, got {prediction.shape} and {reference.shape}")
    # An axis of one voxel is a 2-D image's: its two faces are no surface.
    axes = [axis for axis, size in enumerate(prediction.shape) if size > 1] or [0]
    shape, spacing = [prediction.shape[axis] for axis in axes], [spacing_mm[axis] for axis in axes]
    points = [surface_voxels(mask.reshape(shape)) * spacing for mask in (prediction, reference)]
    if not all(map(len, points)):
        raise ValueError("surface distances need two masks that are not empty")
    # A search tree over the surfaces is exact, and its cost does not grow with the volume between them.
    trees = [cKDTree(p) for p in points]
    return SurfaceDistances(trees[1].query(points[0])[0], trees[0].query(points[1])[0])


def surface_voxels(mask: Mask) -> npt.NDArray[np.intp]:
    """Return the indices [N, D] of the voxels of a mask that touch the outside, or the border, by a face."""
    boxes = ndimage.find_objects(mask.view(np.uint8))
    if not boxes:
        return np.empty((0, mask.ndim), dtype=np.intp)
    inner = mask[boxes[0]]
    surface = inner & ~ndimage.binary_erosion(inner)
    return np.asarray(np.argwhere(surface) + [part.start for part in boxes[0]], dtype=np.intp)


def diagonal_mm(shape: tuple[int, ...], spacing_mm: Spacing) -> float:
    """Return the length of the image's diagonal in mm, which stands for the distance to what was missed.

    An axis of one voxel, as of a 2-D image, adds nothing.
    """
    return math.hypot(*(n * mm for n, mm in zip(shape, spacing_mm, strict=True) if n > 1))
