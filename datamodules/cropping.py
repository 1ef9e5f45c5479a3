"""Cutting a subject out of an image: the one place where training and prediction sample pixels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.keypoints import Box

# Statistics of photographs in RGB, on a scale of 0 to 1.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PosePreprocessing:
    """What is done to an image before the network sees it; kept in the model folder.

    Args:
        input_size: Width and height of the network's input in pixels.
        subject: "box" cuts out the subject's box, "image" takes the whole image.
        padding: The box is this many times as large when it is cut out, as joints lie on its border.
        mean: Mean of each channel, R, G, B, on a scale of 0 to 1.
        deviation: Deviation of each channel.
    """

    input_size: tuple[int, int]
    subject: Literal["box", "image"] = "box"
    padding: float = 1.25
    mean: tuple[float, float, float] = _MEAN
    deviation: tuple[float, float, float] = _DEVIATION

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> PosePreprocessing:
        """Rebuild from `to_dict`, or from its JSON."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in description.items()}
        return cls(**values)

    def normalise(self, image: Tensor) -> Tensor:
        """Return images [B, 3, H, W] of 0 to 255 as float32 of mean 0 and deviation 1, on their own device."""
        mean = torch.tensor(self.mean, device=image.device).view(3, 1, 1)
        deviation = torch.tensor(self.deviation, device=image.device).view(3, 1, 1)
        return (image.float() / 255 - mean) / deviation

    def affine(self, box: Box) -> NDArray[np.float64]:
        """Return the map [2, 3] from the pixels of the input to those of the image, for a subject's box."""
        return box_to_original(box, self.input_size, self.padding if self.subject == "box" else 1.0)


def whole_image(width: int, height: int) -> Box:
    """Return the box of a whole image: its pixels reach half a pixel beyond their centres."""
    return (-0.5, -0.5, float(width), float(height))


def box_to_original(box: Box, size: tuple[int, int], padding: float = 1.0) -> NDArray[np.float64]:
    """Return the map [2, 3] from the pixels of a cut to those of the image.

    The cut shows the whole box, with equal scale along both axes, the box's centre in its middle.

    Args:
        box: In pixels of the image.
        size: Width and height of the cut.
        padding: How many times the box's extent is shown at least.

    Raises:
        ValueError: If the box has no extent.
    """
    x, y, width, height = box
    if not (width > 0 and height > 0 and np.isfinite(box).all()):
        raise ValueError(f"box: expected finite numbers and an extent above 0, found {box}")
    scale = padding * max(width / size[0], height / size[1])
    middle_x, middle_y = x + width / 2, y + height / 2
    return np.array(
        [
            [scale, 0.0, middle_x - scale * (size[0] - 1) / 2],
            [0.0, scale, middle_y - scale * (size[1] - 1) / 2],
        ]
    )


def cut(image: NDArray[np.uint8], to_original: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Sample an image [H, W, 3] on the grid of a cut, [height, width, 3]; what lies outside is black.

    Where the cut is coarser than the image by two or more, areas are averaged first, as single samples would flicker.

    Args:
        image: RGB.
        to_original: Map [2, 3] from the pixels of the cut to those of the image; it may rotate and mirror.
        size: Width and height of the cut.
    """
    (a, b), (c, d) = to_original[:, :2]
    step = int(np.sqrt(abs(a * d - b * c)) + 1e-6)
    if step >= 2:
        return _cut_areas(image, to_original, size, step)
    sampled: NDArray[np.uint8] = cv2.warpAffine(image, to_original, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return sampled


def _cut_areas(
    image: NDArray[np.uint8], to_original: NDArray[np.float64], size: tuple[int, int], step: int
) -> NDArray[np.uint8]:
    """Sample averages of areas of step x step pixels; all borders fade to black alike over one step.

    Areas at the right and bottom may reach out of the image. They continue its last pixels, and so does the sampling;
    how much of the image each pixel sees is multiplied in afterwards.
    """
    grid = np.array([[-1, -1], [size[0], -1], [-1, size[1]], [size[0], size[1]]])
    corners = transform(to_original, grid)
    extent = np.array([image.shape[1], image.shape[0]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    if (high < -step).any() or (low > extent - 1 + step).any():
        return np.zeros((size[1], size[0], 3), np.uint8)
    reduced, moved = _reduce(image, to_original, low, high, step)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    sampled: NDArray[np.uint8] = cv2.warpAffine(reduced, moved, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inner = (step - 1) / 2
    if (low >= inner).all() and (high <= extent - 1 - inner).all():
        return sampled
    seen = cv2.merge([_seen(to_original, size, extent, step)] * 3)
    faded: NDArray[np.uint8] = cv2.multiply(sampled, seen, dtype=cv2.CV_8U)
    return faded


def _reduce(
    image: NDArray[np.uint8],
    to_original: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    step: int,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Average areas of step x step pixels of that part of the image which lies between two corners.

    Returns:
        The averages, and the map from the pixels of the cut to them.
    """
    areas = -(-np.array([image.shape[1], image.shape[0]]) // step)
    # Areas are counted from the image's corner, so that they are the same for all cuts.
    first = np.clip(np.floor(low / step) - 1, 0, areas - 1).astype(int)
    last = np.clip(np.ceil(high / step) + 1, first + 1, areas).astype(int)
    part = image[first[1] * step : last[1] * step, first[0] * step : last[0] * step]
    width, height = (int(length) for length in last - first)
    right, bottom = width * step - part.shape[1], height * step - part.shape[0]
    if right or bottom:
        part = cv2.copyMakeBorder(part, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    reduced: NDArray[np.uint8] = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    moved = to_original / step
    # The centre of a reduced pixel lies half a step from its first one's.
    moved[:, 2] -= (step - 1) / (2 * step) + first
    return reduced, moved


def _seen(
    to_original: NDArray[np.float64], size: tuple[int, int], extent: NDArray[np.int64], step: int
) -> NDArray[np.float32]:
    """Return for each pixel of a cut how much of an area of step x step pixels around it lies in the image, 0 to 1."""
    u, v = np.arange(size[0], dtype=np.float32)[None], np.arange(size[1], dtype=np.float32)[:, None]
    seen = np.ones((size[1], size[0]), np.float32)
    for (along_u, along_v, start), length in zip(to_original.astype(np.float32), extent.tolist(), strict=True):
        # from the image's first edge, in steps; a pixel's edge lies half a pixel from its centre
        position = (along_u * u + along_v * v + (start + np.float32(0.5))) / np.float32(step)
        whole = np.float32(length / step)
        seen *= np.clip(np.minimum(position + 0.5, whole) - np.maximum(position - 0.5, 0), 0, 1)
    return seen


def transform(affine: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map points [..., 2] by an affine [2, 3]."""
    moved: NDArray[np.float64] = points @ affine[:, :2].T + affine[:, 2]
    return moved


def invert(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the way back of an affine [2, 3]."""
    inverse = np.linalg.inv(np.vstack([affine, [0.0, 0.0, 1.0]]))
    return inverse[:2]
