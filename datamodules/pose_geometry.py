"""Where a training cut lies: one random affine map for shift, size, rotation and mirror image."""

import numpy as np
from numpy.typing import NDArray

from datamodules.cropping import PosePreprocessing
from datamodules.keypoints import UNLABELLED, Box
from datamodules.pose_augmentation import PoseAugmentation

_LEAST_HALF = 0.5  # edges of a half's box, as a share of the whole box's, so that it is not blown up without bound


def draw_affine(
    settings: PoseAugmentation,
    preprocessing: PosePreprocessing,
    box: Box,
    keypoints: NDArray[np.float32],
    visibility: NDArray[np.uint8],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], bool]:
    """Draw the cut of one subject.

    Args:
        settings: What may happen, how often and how strongly.
        preprocessing: Size of the input, and how a subject is cut out without any change.
        box: The subject's box.
        keypoints: Its joints [K, 2], for cuts about half of them.
        visibility: Which of them are labelled [K].
        rng: Source of every draw.

    Returns:
        The map [2, 3] from pixels of the input to those of the image, and whether it mirrors.
    """
    # All draws are made whether they count or not: a changed probability moves no other draw.
    chances = rng.random(5)
    turn, grow, across, down, side = rng.uniform(-1.0, 1.0, 5)
    s = settings
    if preprocessing.subject == "box" and chances[0] < s.half_body_p:
        box = half_box(box, keypoints[visibility != UNLABELLED], s.half_body_joints, lower=bool(side > 0))
    angle = np.deg2rad(turn * s.rotation_degrees) if chances[1] < s.rotation_p else 0.0
    low, high = np.log(s.scaling)
    factor = float(np.exp(low + (high - low) * (grow + 1) / 2)) if chances[2] < s.scaling_p else 1.0
    shift = np.array([across, down]) * (s.shift if chances[3] < s.shift_p else 0.0)
    mirror = bool(chances[4] < s.flip_p)
    return preprocessing.affine(box) @ _about_centre(preprocessing.input_size, angle, factor, shift, mirror), mirror


def _about_centre(
    size: tuple[int, int], angle: float, factor: float, shift: NDArray[np.float64], mirror: bool
) -> NDArray[np.float64]:
    """Return the map [3, 3] from pixels of the changed input to those of the unchanged one."""
    cosine, sine = np.cos(angle) / factor, np.sin(angle) / factor
    sign = -1.0 if mirror else 1.0
    turn = np.array([[sign * cosine, -sine], [sign * sine, cosine]])
    extent = np.array(size, dtype=np.float64)
    centre = (extent - 1) / 2
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = centre + shift * extent - turn @ centre
    return matrix


def half_box(box: Box, labelled: NDArray[np.float32], least: int, *, lower: bool) -> Box:
    """Return a box about one half of the labelled joints [n, 2], or the whole box if there are fewer than `least`.

    Halves lie along the axis on which the joints spread farther: for a standing subject the upper half and the lower.

    Args:
        box: The whole subject's box; a half's edges are at least half of its longer edge.
        labelled: Joints in the same coordinates.
        least: Fewer joints are not halved.
        lower: Take the half with the larger coordinates.
    """
    if len(labelled) < least:
        return box
    axis = int(np.argmax(np.ptp(labelled, axis=0)))
    order = np.argsort(labelled[:, axis], kind="stable")
    count = len(order) // 2
    half = labelled[order[-count:] if lower else order[:count]].astype(np.float64)
    low, high = half.min(axis=0), half.max(axis=0)
    extent = np.maximum(high - low, _LEAST_HALF * max(box[2:]))
    x, y = (low + high - extent) / 2
    return (float(x), float(y), float(extent[0]), float(extent[1]))
