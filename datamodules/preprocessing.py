"""From a volume to network input, defined once for training and prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.affine_resampling import AffineResampler
from datamodules.formats.errors import DataError
from datamodules.formats.geometry import Box, Geometry
from datamodules.formats.volume import Volume
from datamodules.geometry import bounding_box, box_shape, canonical_array, crop, to_canonical
from datamodules.grid import Grid
from datamodules.intensity import ChannelIntensity
from datamodules.resampling import check_memory, output_shape, resample, resample_labels

Crop = Literal["none", "nonzero", "air"]
Sheared = Literal["refuse", "resample"]
AIR_HU = -500.0  # halfway between air and water
AIR_MARGIN = 2  # voxels kept around what is denser than air

__all__ = ["ChannelIntensity", "Grid", "Prepared", "Preprocessing", "replace_nonfinite"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Hold a network's input and the way back to the file's grid.

    Args:
        image: float32 [C, X', Y', Z'], contiguous.
        grid: Restores scores [K, X', Y', Z'] to the file's grid.
    """

    image: NDArray[np.float32]
    grid: Grid


@dataclass(frozen=True)
class Preprocessing:
    """Say how volumes become network input: orientation, crop, intensities, spacing, in this order.

    Args:
        spacing_mm: Target spacing along canonical X, Y, Z; None keeps each volume's own.
        crop: "air" keeps the box of voxels over -500 HU of the first channel, "nonzero" that of voxels other
            than 0 in any channel, "none" everything.
        channels: The intensity scheme of each channel.
        sheared: What happens to a volume whose axes are not at right angles: "refuse" it, or "resample" it
            linearly onto the nearest orthogonal grid, from which masks come back onto the file's own.

    Raises:
        ValueError: An unknown crop or treatment of shear, no channels, or a spacing that is not positive.
    """

    spacing_mm: tuple[float, float, float] | None
    crop: Crop
    channels: tuple[ChannelIntensity, ...]
    sheared: Sheared = "refuse"

    def __post_init__(self) -> None:
        if self.crop not in get_args(Crop):
            raise ValueError(f"crop is one of {get_args(Crop)}, got {self.crop!r}")
        if self.sheared not in get_args(Sheared):
            raise ValueError(f"sheared is one of {get_args(Sheared)}, got {self.sheared!r}")
        if not self.channels:
            raise ValueError("preprocessing needs the intensity scheme of at least one channel")
        if self.spacing_mm is not None and not (len(self.spacing_mm) == 3 and min(self.spacing_mm) > 0):
            raise ValueError(f"spacing_mm is three positive numbers, got {self.spacing_mm}")

    def apply(self, volume: Volume, *, masks: int = 0) -> Prepared:
        """Turn a volume [C, X, Y, Z] into network input [C, X', Y', Z'].

        Args:
            volume: The image.
            masks: Label volumes that will be brought to the same grid, which need memory as well.

        Raises:
            DataError: Another number of channels than declared, voxels that are not finite, axes that are not
                at right angles where that is refused, or a grid that would not fit into memory.
        """
        if len(volume.array) != len(self.channels):
            found = f"{len(volume.array)}"
            raise DataError(volume.path, f"{len(self.channels)} channels", found, "give every channel of the case")
        if not np.isfinite(volume.array).all():
            remedy = "mend the file, or replace them by `replace_nonfinite`"
            raise DataError(volume.path, "finite voxels", "NaN or infinity", remedy)
        if volume.geometry.is_sheared and self.sheared == "refuse":
            angle = math.degrees(math.asin(min(volume.geometry.shear, 1.0)))
            remedy = "resample it, or set preprocessing.sheared to resample (in prediction --sheared, without --strict)"
            raise DataError(volume.path, "axes at right angles", f"a sheared affine, {angle:.2g} degrees off", remedy)
        canonical = to_canonical(volume)
        box = self._box(canonical.array)
        grid = Grid(volume.geometry, box, self._prepared(canonical.geometry.cropped(box)))
        resampler = grid.preparing()
        check_memory(volume.path, len(self.channels), box_shape(box), grid.shape, masks=masks)
        image = np.empty((len(self.channels), *grid.shape), dtype=np.float32)
        for index, intensity in enumerate(self.channels):  # one at a time: the peak is one channel's
            values = torch.from_numpy(intensity.apply(crop(canonical.array[index], box)))
            if isinstance(resampler, AffineResampler):  # what the scanner has not seen looks like its background
                image[index] = resampler.whole(values, outside=float(values.min())).numpy()
            else:
                image[index] = resample(values[None], grid.shape, "cubic")[0].numpy()
        return Prepared(image, grid)

    def apply_labels(self, labels: NDArray[Any], grid: Grid, values: Sequence[int]) -> NDArray[Any]:
        """Bring labels from the file's grid to the prepared one.

        Args:
            labels: Integers [X, Y, Z] on the file's grid.
            grid: The grid of the case's prepared image.
            values: All label values that occur, background included.

        Returns:
            Labels [X', Y', Z'] of the same type.

        Raises:
            ValueError: The labels do not have the grid's source shape.
        """
        if labels.shape != grid.source_shape:
            raise ValueError(f"labels of shape {labels.shape} on a grid of shape {grid.source_shape}")
        cropped = np.ascontiguousarray(crop(canonical_array(labels, grid.source_affine), grid.box))
        return resample_labels(cropped, grid.preparing(), values)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {
            "spacing_mm": None if self.spacing_mm is None else list(self.spacing_mm),
            "crop": self.crop,
            "channels": [channel.to_dict() for channel in self.channels],
            "sheared": self.sheared,
        }

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> Preprocessing:
        """Rebuild from `to_dict`; a description from before there was a choice refuses shear."""
        spacing = description["spacing_mm"]
        channels = tuple(ChannelIntensity.from_dict(channel) for channel in description["channels"])
        sheared = description.get("sheared", "refuse")
        return cls(None if spacing is None else tuple(spacing), description["crop"], channels, sheared)

    def _box(self, array: NDArray[Any]) -> Box:
        """Return the part of [C, X, Y, Z] to keep; the whole where there is nothing to see."""
        box = None
        if self.crop == "air":
            box = bounding_box(array[0] > AIR_HU, AIR_MARGIN)
        elif self.crop == "nonzero":
            box = bounding_box((array != 0).any(axis=0))
        x, y, z = array.shape[1:]
        return box or ((0, x), (0, y), (0, z))

    def _prepared(self, kept: Geometry) -> Geometry:
        """Return the grid that the network sees of a kept one: at right angles, and at the target spacing."""
        grid = kept.orthogonal() if kept.is_sheared else kept
        if self.spacing_mm is None:
            return grid
        return grid.resampled(output_shape(grid.shape, grid.spacing_mm, self.spacing_mm))


def replace_nonfinite(volume: Volume) -> tuple[Volume, int]:
    """Replace NaN and infinity by the smallest finite value of the volume.

    Args:
        volume: Voxels [C, X, Y, Z].

    Returns:
        The mended volume (the same one if nothing was wrong) and how many voxels were replaced.

    Raises:
        DataError: No voxel is finite.
    """
    finite = np.isfinite(volume.array)
    count = int(finite.size - np.count_nonzero(finite))
    if count == 0:
        return volume, 0
    if count == finite.size:
        raise DataError(volume.path, "finite voxels", "none at all", "fetch or export the file again")
    lowest = volume.array.min(where=finite, initial=np.inf)
    return replace(volume, array=np.where(finite, volume.array, lowest)), count
