"""What a pose model has seen in training, and whether another image lies outside of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.cropping import PosePreprocessing, cut
from datamodules.image_store import ImageStore
from datamodules.pose_dataset import Subject

_MAX_SUBJECTS = 500  # percentiles of this many are exact enough
_PERCENTILES = (0.5, 99.5)
_BRIGHTNESS_MARGIN = 20.0  # of 255: beyond the brightness of training by more than this is new
_SIZE_FACTOR = 2.0  # images smaller or larger than those of training by more than this are new


def pose_training_range(
    subjects: Sequence[Subject], images: ImageStore, preprocessing: PosePreprocessing
) -> dict[str, Any]:
    """Return what the training images span, as a JSON-able dictionary.

    Each entry is a range [low, high]: `width_px` and `height_px` of the images; `brightness`, the 0.5 and 99.5
    percentile over subjects of a cut's mean from 0 to 255; `contrast`, the same of its deviation.

    Args:
        subjects: Those that train.
        images: Their images.
        preprocessing: How they are cut out.
    """
    sizes = np.array([images.size(subject.image) for subject in subjects], dtype=np.float64)
    step = -(-len(subjects) // _MAX_SUBJECTS)
    looks = np.array(
        [
            look(cut(images.load(s.image), preprocessing.affine(s.box), preprocessing.input_size))
            for s in subjects[::step]
        ]
    )
    return {
        "width_px": [int(sizes[:, 0].min()), int(sizes[:, 0].max())],
        "height_px": [int(sizes[:, 1].min()), int(sizes[:, 1].max())],
        "brightness": _span(looks[:, 0]),
        "contrast": _span(looks[:, 1]),
    }


def look(image: NDArray[np.uint8]) -> tuple[float, float]:
    """Return mean and deviation of a cut [H, W, 3] over all channels, from 0 to 255."""
    return float(image.mean()), float(image.std())


def outside_pose_range(looks: NDArray[np.float64], image_size: tuple[int, int], seen: Mapping[str, Any]) -> list[str]:
    """Say in what images lie clearly outside of what was seen in training.

    Args:
        looks: Mean and deviation [n, 2] of some cuts, each as `look` returns them; their median counts.
        image_size: Width and height of the images in pixels.
        seen: What `pose_training_range` returned.

    Returns:
        One sentence for each finding; none when the images are like those of training.
    """
    findings = []
    for name, value in zip(("brightness", "contrast"), np.median(looks, axis=0).tolist(), strict=True):
        low, high = seen[name]
        if not low - _BRIGHTNESS_MARGIN <= value <= high + _BRIGHTNESS_MARGIN:
            findings.append(f"{name} of {value:.0f} of 255, in training {low:.0f} to {high:.0f}")
    for name, value in zip(("width_px", "height_px"), image_size, strict=True):
        low, high = seen[name]
        if not low / _SIZE_FACTOR <= value <= high * _SIZE_FACTOR:
            findings.append(f"{name.removesuffix('_px')} of {value} pixels, in training {low} to {high}")
    return findings


def _span(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in np.percentile(values, _PERCENTILES)]
