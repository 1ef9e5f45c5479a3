"""Intensity schemes by channel: Hounsfield units, MR, microscopy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Scheme = Literal["ct", "zscore", "rescale", "none"]
_SMALLEST = 1e-8  # a deviation or range below this is a constant image


@dataclass(frozen=True)
class ChannelIntensity:
    """Say how the intensities of one channel become network input.

    Args:
        scheme: "ct" clips to [lower, upper] and then takes off `mean` and divides by `std`; "zscore" does the
            latter with the image's own mean and deviation; "rescale" maps its minimum to 0 and maximum to 1.
        lower: For "ct": the 0.5 percentile of the training cases' foreground, in HU.
        upper: For "ct": the 99.5 percentile.
        mean: For "ct": the mean of the training cases' foreground.
        std: For "ct": its standard deviation.

    Raises:
        ValueError: An unknown scheme, or "ct" without its four numbers.
    """

    scheme: Scheme
    lower: float | None = None
    upper: float | None = None
    mean: float | None = None
    std: float | None = None

    def __post_init__(self) -> None:
        if self.scheme not in get_args(Scheme):
            raise ValueError(f"an intensity scheme is one of {get_args(Scheme)}, got {self.scheme!r}")
        if self.scheme == "ct":
            self._training_statistics()

    def apply(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Return the channel [X, Y, Z] as float32 network input; a constant image comes out finite."""
        values = array.astype(np.float32, order="C")  # always a copy: the rest works in place
        if self.scheme == "ct":
            lower, upper, mean, std = self._training_statistics()
            np.clip(values, lower, upper, out=values)
            return _standardise(values, mean, std)
        if self.scheme == "zscore":
            # sums in float64: a large volume with a large offset loses digits in float32
            return _standardise(values, float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)))
        if self.scheme == "rescale":
            lowest = float(values.min())
            return _standardise(values, lowest, float(values.max()) - lowest)
        return values

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> ChannelIntensity:
        """Rebuild from `to_dict`."""
        return cls(**description)

    def _training_statistics(self) -> tuple[float, float, float, float]:
        """Return lower, upper, mean and std, all present."""
        if self.lower is None or self.upper is None or self.mean is None or self.std is None:
            raise ValueError('the intensity scheme "ct" needs lower, upper, mean and std of the training cases')
        return self.lower, self.upper, self.mean, self.std


def _standardise(values: NDArray[np.float32], offset: float, scale: float) -> NDArray[np.float32]:
    """Take off the offset and divide by the scale, in place; a scale of nothing counts as 1."""
    values -= np.float32(offset)
    values /= np.float32(scale if scale > _SMALLEST else 1.0)
    return values
