"""Augmentation of 2-D images with albumentations, driven by the same settings as volumes."""

import os
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else the import asks the network for its version

import albumentations as A
import cv2
import numpy as np
import torch
from torch import Tensor

from datamodules.augmentation import Augmentation


def source_extent(s: Augmentation, patch: tuple[int, int]) -> tuple[int, int]:
    """Return the extent of image that a patch can be sampled from: its diagonal if turned, more if shrunk."""
    turned = s.rotation_p > 0
    shrink = min(s.scaling[0], 1.0) if s.scaling_p > 0 else 1.0
    edges = (np.hypot(*patch),) * 2 if turned else patch
    columns, rows = (int(np.ceil(edge / shrink)) for edge in edges)
    return columns, rows


def _geometric(s: Augmentation, patch: tuple[int, int]) -> list[Any]:
    turn, border = s.rotation_degrees, {"border_mode": cv2.BORDER_REFLECT_101}
    return [
        A.Affine(rotate=(-turn, turn), p=s.rotation_p, **border),
        A.Affine(scale=s.scaling, keep_ratio=True, p=s.scaling_p, **border),
        A.ElasticTransform(alpha=100, sigma=10, p=s.elastic_p),
        A.CenterCrop(height=patch[1], width=patch[0]),
        A.HorizontalFlip(p=0.5 if 0 in s.mirror_axes else 0.0),
        A.VerticalFlip(p=0.5 if 1 in s.mirror_axes else 0.0),
    ]


def _intensity(s: Augmentation) -> list[Any]:
    # Not INTER_AREA, which takes four channels at most.
    through = {"downscale": cv2.INTER_LINEAR, "upscale": cv2.INTER_LINEAR}
    return [
        # The image spans 0 to 1 here; about four standard deviations of a normalised one.
        A.GaussNoise(std_range=(0.0, min(1.0, s.noise_std / 4)), per_channel=True, p=s.noise_p),
        A.GaussianBlur(blur_limit=0, sigma_limit=s.blur_sigma_px, p=s.blur_p),
        A.RandomBrightnessContrast(brightness_limit=0.25, contrast_limit=0.0, p=s.brightness_p),
        A.RandomBrightnessContrast(brightness_limit=0.0, contrast_limit=0.25, p=s.contrast_p),
        A.Downscale(scale_range=(0.5, 0.99), interpolation_pair=through, p=s.low_resolution_p),
        A.RandomGamma(gamma_limit=(70, 150), p=s.gamma_p),
        A.Sequential(
            [A.InvertImg(p=1), A.RandomGamma(gamma_limit=(70, 150), p=1), A.InvertImg(p=1)],
            p=s.gamma_inverted_p,
        ),
    ]


class ImageAugmenter:
    """Change one 2-D patch at random; every draw comes from the generator that is passed in.

    Args:
        settings: What to do, how often and how strongly.
        patch: Extent (columns, rows) of the patch that comes out.
    """

    def __init__(self, settings: Augmentation, patch: tuple[int, int]) -> None:
        self.source = source_extent(settings, patch)
        self.pipeline = A.Compose(_geometric(settings, patch) + _intensity(settings))

    def __call__(self, image: Tensor, label: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a patch [C, X, Y, 1] and its label [L, X, Y, 1] out of larger ones (`source`)."""
        self.pipeline.set_random_seed(int(rng.integers(2**31)))
        low, high = float(image.min()), float(image.max())
        scale = max(high - low, 1e-6)
        done = self.pipeline(
            image=np.ascontiguousarray(((image - low) / scale)[..., 0].permute(2, 1, 0).numpy()),
            mask=np.ascontiguousarray(label[..., 0].permute(2, 1, 0).numpy()),
        )
        # A single channel may come back without its axis.
        pixels = np.atleast_3d(done["image"]).transpose(2, 1, 0)[..., None]
        mask = np.atleast_3d(done["mask"]).transpose(2, 1, 0)[..., None]
        changed = torch.from_numpy(np.ascontiguousarray(pixels)) * scale + low
        return changed, torch.from_numpy(np.ascontiguousarray(mask))
