"""Random changes to the look of a cut-out subject, with albumentations."""

import os
import random

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else the import asks the network for its version

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from datamodules.keypoints import OCCLUDED, VISIBLE
from datamodules.pose_augmentation import PoseAugmentation


class Appearance:
    """Change colours and sharpness of one image and cover parts of it; every draw comes from the generator passed in.

    Args:
        settings: What to do, how often and how strongly.
    """

    def __init__(self, settings: PoseAugmentation) -> None:
        s = self.settings = settings
        gaussian = A.GaussianBlur(blur_limit=0, sigma_limit=s.blur_sigma_px, p=0.7)
        hue = s.hue_degrees / 2  # OpenCV counts hues in units of two degrees
        self.pipeline = A.Compose(
            [
                A.OneOf([gaussian, A.MotionBlur(blur_limit=(3, 5), p=0.3)], p=s.blur_p),
                A.RandomBrightnessContrast(s.brightness, s.contrast, p=s.brightness_p),
                A.RandomGamma(gamma_limit=(100 * s.gamma[0], 100 * s.gamma[1]), p=s.gamma_p),
                A.HueSaturationValue(hue, 255 * s.saturation, 0, p=s.colour_p),
                A.GaussNoise(std_range=(0.0, s.noise_std), p=s.noise_p),
            ]
        )

    def __call__(
        self,
        image: NDArray[np.uint8],
        keypoints: NDArray[np.float32],
        visibility: NDArray[np.uint8],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the changed image [H, W, 3] and the visibility [K] of its joints.

        Args:
            image: RGB, may be written to.
            keypoints: x and y in pixels of the image [K, 2].
            visibility: Before joints were covered [K].
            rng: Source of every draw.
        """
        # One pair of generators for all: seeding each transform on its own takes longer than most of them.
        self.pipeline.set_random_state(rng, random.Random(int(rng.integers(2**31))))
        if rng.random() < self.settings.occlusion_p:
            visibility = self._cover(image, keypoints, visibility, rng)
        changed: NDArray[np.uint8] = self.pipeline(image=image)["image"]
        return changed, visibility

    def _cover(
        self,
        image: NDArray[np.uint8],
        keypoints: NDArray[np.float32],
        visibility: NDArray[np.uint8],
        rng: np.random.Generator,
    ) -> NDArray[np.uint8]:
        """Cover rectangles of the image in place, each by another part of the image or by one of its colours."""
        extent = np.array([image.shape[1], image.shape[0]])
        for _ in range(int(rng.integers(1, self.settings.occlusion_count + 1))):
            size = np.clip(np.round(rng.uniform(*self.settings.occlusion_size, 2) * extent), 1, extent).astype(int)
            (x, y), (from_x, from_y) = rng.integers(0, extent - size + 1, (2, 2))
            width, height = size
            cover = image[from_y : from_y + height, from_x : from_x + width].copy()
            if rng.random() < 0.5:
                cover = cover[0, 0]
            image[y : y + height, x : x + width] = cover
            inside = np.abs(keypoints - (x, y) - (size - 1) / 2) <= size / 2
            visibility = np.where(inside.all(axis=1) & (visibility == VISIBLE), np.uint8(OCCLUDED), visibility)
        return visibility
