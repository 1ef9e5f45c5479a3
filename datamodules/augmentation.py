"""Augmentation of volumes with MONAI; strengths as in nnU-Net's defaults (Isensee and others, 2021)."""

from dataclasses import dataclass, field, fields
from typing import Any, cast

import numpy as np
import torch
from monai.data import set_track_meta
from monai.transforms import (
    Affine,
    Compose,
    Rand3DElastic,
    RandAdjustContrast,
    RandGaussianNoise,
    RandGaussianSmooth,
    RandScaleIntensity,
    RandScaleIntensityFixedMean,
    RandSimulateLowResolution,
)
from numpy.typing import NDArray
from torch import Tensor


@dataclass
class Augmentation:
    """Probabilities (`_p`) and strengths of random changes to a training patch.

    Args:
        rotation_p: Chance of a rotation.
        rotation_degrees: Largest angle about each axis, in mm space.
        scaling_p: Chance of a change of size.
        scaling: Range of the factor; above 1 structures grow.
        elastic_p: Chance of an elastic deformation.
        noise_p: Chance of Gaussian noise.
        noise_std: Largest deviation of the noise, in units of the normalised image.
        blur_p: Chance of a Gaussian blur.
        blur_sigma_px: Range of the blur's sigma in voxels.
        brightness_p: Chance of a multiplication of all intensities.
        contrast_p: Chance of stretching intensities about their mean, within their old range.
        low_resolution_p: Chance of down-sampling and up-sampling again.
        gamma_p: Chance of a gamma curve.
        gamma_inverted_p: Chance of a gamma curve on the inverted image.
        mirror_axes: Axes (0 left-right, 1 back-front, 2 down-up) that are flipped half of the time. Leave out axis 0
            where left and right are different labels.
    """

    rotation_p: float = 0.2
    rotation_degrees: float = 30.0
    scaling_p: float = 0.2
    scaling: tuple[float, float] = (0.7, 1.4)
    elastic_p: float = 0.0
    noise_p: float = 0.1
    noise_std: float = 0.316
    blur_p: float = 0.2
    blur_sigma_px: tuple[float, float] = (0.5, 1.0)
    brightness_p: float = 0.15
    contrast_p: float = 0.15
    low_resolution_p: float = 0.25
    gamma_p: float = 0.3
    gamma_inverted_p: float = 0.1
    mirror_axes: list[int] = field(default_factory=lambda: [0, 1, 2])

    def __post_init__(self) -> None:
        shares = {item.name: getattr(self, item.name) for item in fields(self) if item.name.endswith("_p")}
        for name, share in shares.items():
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"data.augmentation.{name}: expected a probability from 0 to 1, found {share}")
        if not set(self.mirror_axes) <= {0, 1, 2}:
            raise ValueError(f"data.augmentation.mirror_axes: expected some of 0, 1, 2, found {self.mirror_axes}")
        if not 0.0 < self.scaling[0] <= self.scaling[1]:
            found = list(self.scaling)
            raise ValueError(f"data.augmentation.scaling: expected two factors over 0, the lower first, found {found}")


def rotation_matrix(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation [3, 3] about x, then y, then z by angles [3] in radians."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


class VolumeAugmenter:
    """Draw and apply the changes to one patch; every draw comes from the generator that is passed in."""

    def __init__(self, settings: Augmentation, spacing_mm: tuple[float, ...]) -> None:
        self.settings = settings
        # Plain tensors out: MONAI's own would carry an affine that nobody reads through every operation.
        set_track_meta(False)
        self.spacing = np.asarray(spacing_mm, dtype=np.float64)
        s = settings
        self.intensity = Compose(
            [
                RandGaussianNoise(prob=s.noise_p, std=s.noise_std, sample_std=True),
                RandGaussianSmooth(s.blur_sigma_px, s.blur_sigma_px, s.blur_sigma_px, prob=s.blur_p, approx="erf"),
                RandScaleIntensity(factors=0.25, prob=s.brightness_p, channel_wise=True),
                RandScaleIntensityFixedMean(prob=s.contrast_p, factors=0.25, fixed_mean=True, preserve_range=True),
                RandSimulateLowResolution(prob=s.low_resolution_p, zoom_range=(0.5, 1.0)),
                RandAdjustContrast(prob=s.gamma_inverted_p, gamma=(0.7, 1.5), invert_image=True, retain_stats=True),
                RandAdjustContrast(prob=s.gamma_p, gamma=(0.7, 1.5), retain_stats=True),
            ]
        )
        self.elastic = Rand3DElastic(sigma_range=(5, 8), magnitude_range=(50, 150), prob=1.0, padding_mode="zeros")

    def draw_affine(self, rng: np.random.Generator) -> NDArray[np.float64] | None:
        """Draw the map [4, 4] from output to input voxels about the centre; None when nothing is to move."""
        s = self.settings
        rotate, scale = rng.random() < s.rotation_p, rng.random() < s.scaling_p
        if not rotate and not scale:
            return None
        angles = np.deg2rad(rng.uniform(-s.rotation_degrees, s.rotation_degrees, 3)) * rotate
        factor = rng.uniform(*s.scaling) if scale else 1.0
        matrix = np.eye(4)
        # A rotation is rigid in mm, so it is taken there and back where voxels are not cubes.
        matrix[:3, :3] = np.diag(1 / self.spacing) @ rotation_matrix(angles) @ np.diag(self.spacing) / factor
        return matrix

    def source_shape(self, patch: tuple[int, ...], affine: NDArray[np.float64]) -> tuple[int, ...]:
        """Return the extent of input voxels that an output patch under the map can reach."""
        reach = np.abs(affine[:3, :3]) @ np.asarray(patch)
        return tuple(int(n) for n in np.ceil(np.maximum(reach, patch)))

    def warp(
        self, image: Tensor, label: Tensor, affine: NDArray[np.float64], patch: tuple[int, ...]
    ) -> tuple[Tensor, Tensor]:
        """Sample the patch from a larger image [C, ...] (linear) and label [L, ...] (nearest) under the map."""
        move = Affine(affine=affine, spatial_size=patch, padding_mode="zeros", image_only=True)
        warped = cast(Tensor, move(image, mode="bilinear"))
        nearest = cast(Tensor, move(label.float(), mode="nearest"))
        return warped, nearest.to(label.dtype)

    def __call__(self, image: Tensor, label: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Apply deformation, intensity changes and mirroring to a patch [C, X, Y, Z] and label [L, X, Y, Z]."""
        seed = int(rng.integers(2**31))
        if rng.random() < self.settings.elastic_p:
            image, label = self._deform(image, label, seed)
        self.intensity.set_random_state(seed=seed)
        image = cast(Tensor, self.intensity(image))
        axes = [axis + 1 for axis in self.settings.mirror_axes if rng.random() < 0.5]
        if axes:
            image, label = torch.flip(image, axes), torch.flip(label, axes)
        return image, label

    def _deform(self, image: Tensor, label: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        deformed: list[Any] = []
        for tensor, mode in ((image, "bilinear"), (label.float(), "nearest")):
            self.elastic.set_random_state(seed=seed)
            deformed.append(self.elastic(tensor, mode=mode))
        return deformed[0], deformed[1].to(label.dtype)
