"""Padding and cropping of the spatial axes of tensors [B, C, *S]."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def check_axes(image: Tensor, spatial_dims: int) -> None:
    """Check that an image is [B, C, *S] with so many spatial axes.

    Raises:
        ValueError: If it is not.
    """
    if image.ndim != 2 + spatial_dims:
        raise ValueError(f"image: expected [B, C] and {spatial_dims} spatial axes, found {list(image.shape)}")


def pad_to_multiple(image: Tensor, multiple: Sequence[int]) -> Tensor:
    """Pad an image [B, C, *S] with zeros at the far ends, to multiples per axis; no copy where it fits."""
    amounts = [-size % step for size, step in zip(image.shape[2:], multiple, strict=True)]
    if not any(amounts):
        return image
    # F.pad counts from the last axis and takes a near and a far amount for each.
    return F.pad(image, [side for amount in reversed(amounts) for side in (0, amount)])


def crop_end(image: Tensor, size: Sequence[int]) -> Tensor:
    """Keep the first `size` voxels of each axis of [B, C, *S], as a view: undoes `pad_to_multiple`."""
    for axis, length in enumerate(size, start=2):
        if image.shape[axis] != length:
            image = image.narrow(axis, 0, length)
    return image


def centre_crop(image: Tensor, size: Sequence[int]) -> Tensor:
    """Keep the central `size` voxels of each spatial axis of [B, C, *S], as a view."""
    for axis, length in enumerate(size, start=2):
        if image.shape[axis] != length:
            image = image.narrow(axis, (image.shape[axis] - length) // 2, length)
    return image
