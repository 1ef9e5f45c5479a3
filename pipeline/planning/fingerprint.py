"""What a data set of volumes is like, as far as a plan depends on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.cases import CaseList
from datamodules.formats import format_of, image, stack
from datamodules.integrity.facts import CaseFacts
from pipeline.planning.quantities import size_text

Triple = tuple[float, float, float]
_WITHOUT_DIRECTIONS = (image.name, stack.name)  # formats that tell nothing of a patient's axes


@dataclass(frozen=True)
class ChannelPrint:
    """Intensities of one channel: the whole image's range, and what lies in the labelled structures."""

    name: str
    minimum: float
    maximum: float
    lowest_typical: float
    foreground_mean: float
    foreground_deviation: float
    foreground_percentiles: tuple[float, float]


@dataclass(frozen=True)
class StructurePrint:
    """One structure: in how many cases it is, its volume and its extent, as medians over those cases."""

    cases: int
    volume_mm3: float
    voxels: float
    extent_mm: Triple


@dataclass(frozen=True)
class Fingerprint:
    """A data set in numbers.

    Args:
        cases: How many.
        groups: Patients, or what else is never parted by a split.
        layout: How its files are laid out.
        directed: Whether its files tell left from right: microscopy and photographs do not.
        shape: Median shape.
        shape_range: Least and greatest shape, by axis.
        cropped: Median share of a volume that is left by each kind of crop.
        spacing_mm: Median spacing.
        spacing_range_mm: Least and greatest spacing, by axis.
        orientations: Stored orientations and how often each occurs.
        dtypes: Stored data types and how often each occurs.
        channels: Intensities.
        structures: By name.
        adjacency: Pairs of structures that touch, and in how many cases.
        voxels: Of all cases.
    """

    cases: int
    groups: int
    layout: str
    directed: bool
    shape: Triple
    shape_range: tuple[Triple, Triple]
    cropped: dict[str, float]
    spacing_mm: Triple
    spacing_range_mm: tuple[Triple, Triple]
    orientations: dict[str, int]
    dtypes: dict[str, int]
    channels: tuple[ChannelPrint, ...]
    structures: dict[str, StructurePrint]
    adjacency: tuple[tuple[str, str, int], ...]
    voxels: int

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return it in words, a few lines."""
        kept = ", ".join(f"crop '{name}' keeps {share:.0%}" for name, share in self.cropped.items() if share < 1)
        touching = ", ".join(f"{a} and {b} ({count})" for a, b, count in self.adjacency) or "none"
        return [
            f"{self.cases} cases of {self.groups} groups, layout {self.layout}",
            f"shape: median {size_text(self.shape)}, from {size_text(self.shape_range[0])} to "
            f"{size_text(self.shape_range[1])}; {kept or 'nothing to crop'}",
            self._spacing_line(),
            *(_channel_line(channel) for channel in self.channels),
            *(_structure_line(name, found, self.cases, self.unit) for name, found in self.structures.items()),
            f"structures that touch (cases): {touching}",
        ]

    @property
    def unit(self) -> str:
        """Return what lengths are in: pixels where no spacing is stated."""
        return "px" if not self.directed and self.spacing_range_mm == ((1.0,) * 3, (1.0,) * 3) else "mm"

    def _spacing_line(self) -> str:
        stored = _counted(self.dtypes)
        if self.unit == "px":
            return f"spacing: none is stated; stored as {stored}"
        low, high = self.spacing_range_mm
        return (
            f"spacing: median {size_text(self.spacing_mm)} mm, from {size_text(low)} to {size_text(high)}; stored as "
            f"{_counted(self.orientations)}, {stored}"
        )


def take_fingerprint(listing: CaseList, facts: Mapping[str, CaseFacts]) -> Fingerprint:
    """Summarise what was read of all cases."""
    cases = list(facts.values())
    shapes = np.array([case.shape for case in cases], dtype=np.float64)
    spacings = np.array([case.spacing_mm for case in cases], dtype=np.float64)
    pairs = Counter(pair for case in cases for pair in case.adjacency)
    return Fingerprint(
        cases=len(cases),
        groups=len({case.group for case in listing.cases}),
        layout=listing.layout,
        directed=is_directed(listing),
        shape=_triple(np.median(shapes, axis=0)),
        shape_range=(_triple(shapes.min(axis=0)), _triple(shapes.max(axis=0))),
        cropped={
            "nonzero": median(math.prod(case.nonzero_shape) / math.prod(case.shape) for case in cases),
            "air": median(math.prod(case.air_shape) / math.prod(case.shape) for case in cases),
        },
        spacing_mm=_triple(np.median(spacings, axis=0)),
        spacing_range_mm=(_triple(spacings.min(axis=0)), _triple(spacings.max(axis=0))),
        orientations=dict(Counter(case.orientation for case in cases).most_common()),
        dtypes=dict(Counter(case.dtype or "a type that is not told" for case in cases).most_common()),
        channels=tuple(_channel(index, name, cases) for index, name in enumerate(listing.channel_names)),
        structures={name: _structure(name, cases) for name in listing.labels.names},
        adjacency=tuple((a, b, count) for (a, b), count in pairs.most_common()),
        voxels=int(shapes.prod(axis=1).sum()),
    )


def is_directed(listing: CaseList) -> bool:
    """Tell whether the files of a data set say which way is left: PNG, TIFF and folders of slices do not."""
    first = listing.cases[0]
    return format_of(first.images[0], first.image_options()).name not in _WITHOUT_DIRECTIONS


def _channel(index: int, name: str, cases: Sequence[CaseFacts]) -> ChannelPrint:
    found = [case.channels[index] for case in cases]
    samples = [case.samples[index] for case in cases if case.samples.shape[1]]
    pooled = np.concatenate(samples).astype(np.float64) if samples else np.zeros(1)
    lower, upper = np.percentile(pooled, (0.5, 99.5))
    return ChannelPrint(
        name=name,
        minimum=min(channel.minimum for channel in found),
        maximum=max(channel.maximum for channel in found),
        lowest_typical=median(channel.minimum for channel in found),
        foreground_mean=float(pooled.mean()),
        foreground_deviation=float(pooled.std()),
        foreground_percentiles=(float(lower), float(upper)),
    )


def _structure(name: str, cases: Sequence[CaseFacts]) -> StructurePrint:
    present = [case for case in cases if case.voxel_counts.get(name, 0)]
    if not present:
        return StructurePrint(0, 0.0, 0.0, (0.0, 0.0, 0.0))
    extents = [
        [(stop - start) * mm for (start, stop), mm in zip(box, case.spacing_mm, strict=True)]
        for case in present
        if (box := case.structures[name].box) is not None
    ]
    return StructurePrint(
        cases=len(present),
        volume_mm3=median(case.volume_mm3[name] for case in present),
        voxels=float(median(case.voxel_counts[name] for case in present)),
        extent_mm=_triple(np.median(extents, axis=0)),
    )


def _triple(values: NDArray[np.float64]) -> Triple:
    x, y, z = (round(float(value), 4) for value in values)
    return x, y, z


def _counted(found: Mapping[str, int]) -> str:
    return ", ".join(name if len(found) == 1 else f"{name} ({count})" for name, count in found.items())


def _channel_line(channel: ChannelPrint) -> str:
    low, high = channel.foreground_percentiles
    return (
        f"channel {channel.name}: {channel.minimum:.4g} to {channel.maximum:.4g}; in the structures "
        f"{channel.foreground_mean:.4g} +- {channel.foreground_deviation:.4g}, 99 % within {low:.4g} to {high:.4g}"
    )


def _structure_line(name: str, found: StructurePrint, cases: int, unit: str) -> str:
    where = "" if found.cases == cases else f" in {found.cases} of {cases} cases"
    volume = f"{found.volume_mm3:.4g} mm3, " if unit == "mm" else ""
    return f"structure {name}{where}: median {volume}{found.voxels:.0f} voxels, {size_text(found.extent_mm)} {unit}"
