"""What must hold before a case is trained on: finite voxels, one geometry, declared labels."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datamodules.cases import Case, read_image, read_label
from datamodules.formats.errors import DataError
from datamodules.formats.volume import AFFINE_TOLERANCE, Volume
from datamodules.labels import LabelSet

log = logging.getLogger(__name__)


def check_finite(volume: Volume) -> None:
    """Refuse an image with NaN or infinity among its voxels.

    Raises:
        DataError: With their number in each channel and the first one's position.
    """
    broken = {}
    for channel, array in enumerate(volume.array):
        finite = np.isfinite(array)
        if not finite.all():
            position = np.unravel_index(int(np.argmin(finite)), array.shape)
            broken[channel] = int(finite.size - np.count_nonzero(finite)), tuple(int(index) for index in position)
    if not broken:
        return
    first = next(iter(broken))
    where = f"the first at voxel {broken[first][1]} of channel {first}"
    others = ", ".join(f"channel {channel}: {count}" for channel, (count, _) in broken.items())
    raise DataError(
        volume.path,
        expected="finite voxels",
        found=f"{sum(count for count, _ in broken.values())} NaN or infinite, {where}"
        + (f" ({others})" if len(broken) > 1 else ""),
        remedy="mend the file or leave the case out of training",
    )


def check_shapes(image: Volume, label: Volume) -> None:
    """Check that a label has the shape of its image.

    Raises:
        DataError: If they differ.
    """
    if label.shape != image.shape:
        raise DataError(
            label.path,
            expected=f"the shape {image.shape} of {image.path.name}",
            found=f"{label.shape}",
            remedy="export the label on the grid of its image",
        )


def check_affines(image: Volume, label: Volume, *, resample: bool = False) -> Volume:
    """Check that a label lies where its image lies.

    Args:
        image: The image `[C, X, Y, Z]`.
        label: Stored label values `[K, X, Y, Z]` of the same shape.
        resample: Whether a label with another affine is brought to the image's grid, by nearest neighbour.

    Returns:
        The label on the image's grid: the same one where the affines are equal.

    Raises:
        DataError: If the affines differ, or no structure lies within the image once it is resampled.
    """
    difference = image.geometry.differs_by(label.geometry)
    if difference <= AFFINE_TOLERANCE:
        return label
    if not resample:
        raise DataError(
            label.path,
            expected=f"the affine of {image.path.name}, within {AFFINE_TOLERANCE:g}",
            found=f"one that differs by {difference:.4g}",
            remedy="mend the geometry, or set data.resample_labels if both are right",
        )
    placed = _to_grid(label.array, label.geometry.affine, image)
    if label.array.any() and not placed.any():
        raise DataError(
            label.path,
            expected=f"a label that lies within {image.path.name}",
            found=f"none of it there: the affines differ by {difference:.4g}",
            remedy="mend the geometry of the label, or look for the image that it belongs to",
        )
    log.warning("%s: resampled to the grid of %s by nearest neighbour", label.path, image.path.name)
    return Volume(placed, image.affine, label.path)


def check_pair(
    image: Volume, label: Volume, labels: LabelSet, *, resample_labels: bool = False
) -> NDArray[np.unsignedinteger[Any]]:
    """Check that a label belongs to an image, and encode it.

    Args:
        image: The image `[C, X, Y, Z]`.
        label: Stored label values `[1, X, Y, Z]`, or masks `[K, X, Y, Z]`.
        labels: What may be stored.
        resample_labels: As for `check_affines`.

    Returns:
        Class indices `[X, Y, Z]`, or masks `[K, X, Y, Z]` of overlapping structures, on the image's grid.

    Raises:
        DataError: If shapes or affines differ, or a value is not declared.
    """
    check_shapes(image, label)
    placed = check_affines(image, label, resample=resample_labels)
    return labels.encode(placed.array, placed.path)


def _to_grid(array: NDArray[Any], affine: NDArray[np.float64], image: Volume) -> NDArray[Any]:
    """Look up each voxel of the image's grid in the label `[K, X, Y, Z]`; what lies outside is 0."""
    to_label = np.linalg.inv(affine) @ image.affine
    # grid-constant keeps the outer half of the border voxels, which "constant" would blank.
    grids = [
        ndimage.affine_transform(mask, to_label, output_shape=image.shape, order=0, mode="grid-constant")
        for mask in array
    ]
    return np.stack(grids)


def read_pair(
    case: Case, labels: LabelSet, *, channels: int | None = None, resample_labels: bool = False
) -> tuple[Volume, NDArray[np.unsignedinteger[Any]]]:
    """Read a training case and check it.

    Args:
        case: A case with a label, or with masks of overlapping structures.
        labels: What may be stored.
        channels: The number of channels of the data set, where it is known.
        resample_labels: As for `check_pair`.

    Returns:
        The image `[C, X, Y, Z]`, all finite, and its encoded label `[X, Y, Z]` or `[K, X, Y, Z]`.

    Raises:
        DataError: If a file is broken, or a check fails.
    """
    image = read_image(case, channels)
    check_finite(image)
    return image, check_pair(image, read_label(case), labels, resample_labels=resample_labels)


def refuse_mirrored_sides(names: Sequence[str], mirror_axes: Sequence[int]) -> None:
    """Refuse mirroring from left to right where the sides of an organ are different labels.

    Raises:
        DataError: Names the labels; a network would be taught that either side is either label.
    """
    swapped = {name: _other_side(name) for name in names}
    paired = sorted(name for name, other in swapped.items() if other != name and other in swapped)
    if 0 in mirror_axes and paired:
        raise DataError(
            Path("data.augmentation.mirror_axes"),
            expected=f"no axis 0 (left-right) for the labels {', '.join(paired)}",
            found=str(list(mirror_axes)),
            remedy='leave it out, for example --data.augmentation.mirror_axes "[]"',
        )


def _other_side(name: str) -> str:
    """Return a name with left and right exchanged, as words or as a single letter set apart at either end."""
    exchange = {"left": "right", "right": "left", "Left": "Right", "Right": "Left", "LEFT": "RIGHT", "RIGHT": "LEFT"}
    exchange |= {"l": "r", "r": "l", "L": "R", "R": "L"}
    pattern = r"left|right|Left|Right|LEFT|RIGHT|(?<=[_ .-])[lrLR]$|^[lrLR](?=[_ .-])"
    return re.sub(pattern, lambda match: exchange[match[0]], name)
