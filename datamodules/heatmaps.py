"""Joints as heatmaps and back: where a map's cells lie on the image, and what is drawn on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from datamodules.heatmap_decoding import Method, decode_cells
from datamodules.keypoints import UNLABELLED, VISIBLE

Occluded = Literal["as_visible", "masked"]

NARROWEST = 1.0  # cells; a narrower Gaussian falls between them


class HeatmapTargets(NamedTuple):
    """What the network should put out.

    Attributes:
        maps: [B, K, h, w], float32; 1 at a joint, zeros where it is not known.
        weight: 1 for the joints that the loss takes in, else 0 [B, K], float32.
    """

    maps: Tensor
    weight: Tensor

    @property
    def in_view(self) -> Tensor:
        """Return 1 for joints of weight 1 that also lie on the map or next to it, else 0 [B, K]."""
        return self.weight * (self.maps.amax((2, 3)) > 0.5)


class Decoded(NamedTuple):
    """What the network's maps say.

    Attributes:
        points: x and y in pixels of the input [B, K, 2], float32.
        score: Maximum of each joint's map [B, K], float32.
    """

    points: Tensor
    score: Tensor


@dataclass(frozen=True)
class HeatmapCodec:
    """The one convention of a model's heatmaps; kept in the model folder.

    A pixel's centre has integer coordinates. The image is `s` times as long as the map along an axis, where `s` need
    not be an integer. Cell `i` covers the pixels from `s * i` to `s * i + s - 1`: its centre lies at
    `s * i + (s - 1) / 2`. With `udp` instead, the centres of the first and last cell are those of the first and last
    pixel. In both the mirror image has the mirrored map, and no cell is lost between the two.

    Args:
        method: How joints are read from the maps; see `decode_cells`.
        sigma: Deviation of the targets' Gaussian in cells.
        occluded: Whether an occluded joint is a target like a visible one, or left out of the loss.

    Raises:
        ValueError: If an argument does not fit.
    """

    method: Method = "dark"
    sigma: float = 2.0
    occluded: Occluded = "as_visible"

    def __post_init__(self) -> None:
        for name, choices in (("method", get_args(Method)), ("occluded", get_args(Occluded))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: expected one of {', '.join(choices)}, found {getattr(self, name)!r}")
        if not (math.isfinite(self.sigma) and self.sigma >= NARROWEST):
            raise ValueError(f"sigma: expected at least {NARROWEST} cells, found {self.sigma}")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> HeatmapCodec:
        """Rebuild from `to_dict`, or from its JSON."""
        return cls(**description)

    def encode(
        self, keypoints: Tensor, visibility: Tensor, image_size: tuple[int, int], size: tuple[int, int]
    ) -> HeatmapTargets:
        """Draw a Gaussian of height 1 at each joint, on the device of the keypoints.

        A joint outside of the image keeps its weight and what of its Gaussian reaches the map, so that the network
        learns that it is out of view.

        Args:
            keypoints: x and y in pixels of the network's input [B, K, 2].
            visibility: Unlabelled, occluded or visible [B, K].
            image_size: Width and height of the input in pixels.
            size: Width and height of the maps in cells.
        """
        known = visibility == VISIBLE if self.occluded == "masked" else visibility != UNLABELLED
        points = torch.where(known[..., None], keypoints.float(), torch.inf)
        bells = []
        for axis, (stride, first) in enumerate(self.cell_to_pixel(image_size, size)):
            centre = (points[..., axis, None] - first) / stride
            cell = torch.arange(size[axis], device=keypoints.device, dtype=torch.float32)
            bells.append((-(cell - centre).square() / (2 * self.sigma**2)).exp())
        return HeatmapTargets(bells[1][..., :, None] * bells[0][..., None, :], known.float())

    def decode(self, heatmaps: Tensor, image_size: tuple[int, int]) -> Decoded:
        """Find the joints on maps [B, K, h, w], on their device.

        Args:
            heatmaps: In any floating type; the work is done in float32.
            image_size: Width and height of the input in pixels.
        """
        cells, score = decode_cells(heatmaps, self.method, self.sigma)
        size = (heatmaps.shape[3], heatmaps.shape[2])
        (stride_x, first_x), (stride_y, first_y) = self.cell_to_pixel(image_size, size)
        points = torch.stack([cells[..., 0] * stride_x + first_x, cells[..., 1] * stride_y + first_y], -1)
        return Decoded(points, score)

    def mirror(self, heatmaps: Tensor, order: Sequence[int]) -> Tensor:
        """Return the maps [B, K, h, w] of the mirror image, in which left and right joints are exchanged.

        Args:
            heatmaps: Of an image, or of its mirror image.
            order: For each joint the one in its place in a mirror image, as `Skeleton.mirrored` has it.

        Raises:
            ValueError: If there is not one map for each joint.
        """
        if heatmaps.shape[1] != len(order):
            raise ValueError(f"order: expected {heatmaps.shape[1]} joints, one per map, found {len(order)}")
        index = torch.tensor(list(order)).to(heatmaps.device, non_blocking=True)
        return heatmaps.flip(-1).index_select(1, index)

    def cell_to_pixel(
        self, image_size: tuple[int, int], size: tuple[int, int]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return where cells lie on the image, along x and along y.

        Args:
            image_size: Width and height of the input in pixels.
            size: Width and height of the maps in cells.

        Returns:
            For each axis the pixels from one cell's centre to the next, and the pixel of the first cell's centre.
        """
        return self._grid(image_size[0], size[0]), self._grid(image_size[1], size[1])

    def _grid(self, pixels: int, cells: int) -> tuple[float, float]:
        """Return the pixels from cell to cell along an axis, and where the first cell's centre lies."""
        if self.method == "udp" and cells > 1:
            return max(pixels - 1, 1) / (cells - 1), 0.0
        stride = pixels / cells
        return stride, (stride - 1) / 2
