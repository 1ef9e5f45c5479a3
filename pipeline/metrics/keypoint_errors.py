"""Figures of pose errors: PCK at a threshold, the area under its curve, end-point error and RMSE."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]

# PCK is taken at 0, 0.01, ... 0.5 of the norm, the grid of MPII's evaluation.
AUC_THRESHOLDS = np.arange(51) / 100
# Positions are float32: an error of exactly the threshold may come out a hair above it.
_ROUNDING = 1e-6


class PerJoint(NamedTuple):
    """A figure per joint and over all points.

    Attributes:
        joints: One value per joint [K], NaN where the joint was never labelled.
        overall: The mean over all labelled points, so that a joint counts as often as it is labelled; NaN if none is.
    """

    joints: Array
    overall: float


def pck(
    errors: NDArray[np.floating] | Tensor,
    weight: NDArray[np.generic] | Tensor,
    norm: NDArray[np.floating] | Tensor,
    threshold: float,
) -> PerJoint:
    """Return the share of joints whose error is at most a threshold times the subject's norm.

    "Percentage of correct keypoints" of Yang and Ramanan (TPAMI 2013, section 6.1); 0.1 means 0.10. A prediction
    that is not finite is a miss.

    Args:
        errors: Distances in pixels [N, K], of the same pixels as the norm.
        weight: Above 0 for joints that count [N, K].
        norm: Norm in pixels [N]; subjects whose norm is NaN or 0 are left out.
        threshold: As a share of the norm.

    Raises:
        ValueError: If the shapes do not agree.
    """
    distance, counts, lengths = _arrays(errors, weight, norm)
    counts &= (np.isfinite(lengths) & (lengths > 0))[:, None]
    return _mean(correct_points(distance, lengths, threshold).astype(np.float64), counts)


def correct_points(errors: NDArray[np.floating], norm: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Tell which errors [N, K] are at most a threshold times the subject's norm [N]; NaN is no such error."""
    bound = threshold * np.asarray(norm, np.float64) * (1 + _ROUNDING)
    return np.asarray(np.less_equal(errors, bound[:, None]))


def auc(
    errors: NDArray[np.floating] | Tensor, weight: NDArray[np.generic] | Tensor, norm: NDArray[np.floating] | Tensor
) -> PerJoint:
    """Return the area under PCK over thresholds 0 to 0.5, as a share of the largest possible.

    By the trapezoidal rule over the 51 thresholds 0, 0.01, ... 0.5. Arguments are those of `pck`.
    """
    curve = [pck(errors, weight, norm, float(threshold)) for threshold in AUC_THRESHOLDS]
    span = AUC_THRESHOLDS[-1] - AUC_THRESHOLDS[0]
    joints = np.trapezoid(np.stack([point.joints for point in curve]), AUC_THRESHOLDS, axis=0) / span
    overall = np.trapezoid([point.overall for point in curve], AUC_THRESHOLDS) / span
    return PerJoint(np.asarray(joints, np.float64), float(overall))


def end_point_error(errors: NDArray[np.floating] | Tensor, weight: NDArray[np.generic] | Tensor) -> PerJoint:
    """Return the mean distance in pixels; DeepLabCut reports this figure under the name RMSE.

    Predictions that are not finite have no distance and are left out.
    """
    distance, counts = _points(errors, weight)
    return _mean(distance, counts)


def root_mean_square(errors: NDArray[np.floating] | Tensor, weight: NDArray[np.generic] | Tensor) -> PerJoint:
    """Return the root of the mean squared distance in pixels, over all labelled points and per joint.

    It is never below `end_point_error`. Predictions that are not finite have no distance and are left out.
    """
    distance, counts = _points(errors, weight)
    squares = _mean(distance**2, counts)
    return PerJoint(np.sqrt(squares.joints), float(np.sqrt(squares.overall)))


def _points(
    errors: NDArray[np.floating] | Tensor, weight: NDArray[np.generic] | Tensor
) -> tuple[Array, NDArray[np.bool_]]:
    distance, counts, _ = _arrays(errors, weight, np.ones(len(errors)))
    finite = np.isfinite(distance)
    return np.where(finite, distance, 0.0), counts & finite


def _arrays(
    errors: NDArray[np.floating] | Tensor, weight: NDArray[np.generic] | Tensor, norm: NDArray[np.floating] | Tensor
) -> tuple[Array, NDArray[np.bool_], Array]:
    distance, counts, lengths = _array(errors), _array(weight) > 0, _array(norm)
    if distance.ndim != 2 or counts.shape != distance.shape or lengths.shape != distance.shape[:1]:
        raise ValueError(
            "expected errors [N, K], weight [N, K] and norm [N], "
            f"found {distance.shape}, {counts.shape} and {lengths.shape}"
        )
    return distance, counts, lengths


def _array(values: NDArray[np.generic] | Tensor) -> Array:
    # NumPy knows neither the memory of a device nor bfloat16.
    plain = values if isinstance(values, np.ndarray) else values.detach().cpu().double().numpy()
    return np.asarray(plain, np.float64)


def _mean(values: Array, counts: NDArray[np.bool_]) -> PerJoint:
    kept = np.where(counts, values, 0.0)
    numbers = counts.sum(axis=0)
    joints = np.full(values.shape[1], np.nan)
    np.divide(kept.sum(axis=0), numbers, out=joints, where=numbers > 0)
    total = int(numbers.sum())
    return PerJoint(joints, float(kept.sum() / total) if total else float("nan"))
