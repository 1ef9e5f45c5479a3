"""What a user says of preprocessing, and what becomes of it once the training cases are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datamodules.fingerprint import foreground_statistics
from datamodules.formats.errors import DataError
from datamodules.integrity.facts import CaseFacts
from datamodules.intensity import ChannelIntensity, Scheme
from datamodules.preprocessing import Crop, Preprocessing, Sheared


@dataclass(frozen=True)
class PreprocessingChoice:
    """Choices before the data is seen.

    Args:
        spacing_mm: Target spacing (left-right, back-front, down-up) in mm, "median" of the training cases, or
            "native" to leave voxels as they are.
        intensity: Intensity scheme of all channels, or one for each: "ct" clips to the 0.5 and 99.5 percentiles
            of the training cases' foreground and standardises by its mean and deviation, "zscore" standardises
            each image by itself, "rescale" brings each image to 0..1, "none" leaves values as they are.
        crop: Region that is kept: "none" keeps all, "nonzero" the box of voxels that are not 0, "air" the box of
            what is denser than air in HU.
        sheared: What happens to images whose axes are not at right angles, as of a tilted gantry: "refuse" stops,
            "resample" brings image and label onto the nearest orthogonal grid.
    """

    spacing_mm: tuple[float, float, float] | Literal["median", "native"] = "median"
    intensity: Scheme | list[Scheme] = "zscore"
    crop: Crop = "none"
    sheared: Sheared = "refuse"

    def resolve(self, training: Sequence[CaseFacts], channels: int) -> Preprocessing:
        """Return the preprocessing that these choices mean for the training cases.

        Args:
            training: Facts of the training cases.
            channels: Channels of every case.

        Raises:
            DataError: The number of intensity schemes is not that of the channels.
        """
        schemes = self.intensity if isinstance(self.intensity, list) else [self.intensity] * channels
        if len(schemes) != channels:
            found = f"{len(schemes)} schemes for {channels} channels"
            raise DataError("data.preprocessing.intensity", "one scheme, or one for each channel", found, "mend it")
        return Preprocessing(self._spacing(training), self.crop, self._intensities(training, schemes), self.sheared)

    def _spacing(self, training: Sequence[CaseFacts]) -> tuple[float, float, float] | None:
        if self.spacing_mm == "native":
            return None
        if self.spacing_mm == "median":
            return median_spacing(training)
        return self.spacing_mm

    @staticmethod
    def _intensities(training: Sequence[CaseFacts], schemes: Sequence[Scheme]) -> tuple[ChannelIntensity, ...]:
        if "ct" not in schemes:
            return tuple(ChannelIntensity(scheme) for scheme in schemes)
        statistics = foreground_statistics(training)
        return tuple(
            ChannelIntensity("ct", s.lower, s.upper, s.mean, s.std) if scheme == "ct" else ChannelIntensity(scheme)
            for scheme, s in zip(schemes, statistics, strict=True)
        )


def median_spacing(training: Sequence[CaseFacts]) -> tuple[float, float, float]:
    """Return the median spacing of the cases in mm, by canonical axis."""
    x, y, z = np.median([facts.spacing_mm for facts in training], axis=0)
    return float(x), float(y), float(z)
