"""What is known of a case once its files were read, and its file in the cache."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.atomic import atomic_path
from datamodules.formats.geometry import Box, Shape

NO_FACTS = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class ChannelFacts:
    """The values of one channel of an image.

    Args:
        minimum: Smallest finite value.
        maximum: Largest finite value.
        mean: Mean of the finite values.
        deviation: Their standard deviation.
        nonfinite: Voxels that are NaN or infinite.
        histogram: Voxels (at most a few million, evenly drawn) in 64 bins of equal width from minimum to maximum.
        voxels: SHA-256 of its voxels in canonical orientation.
        blank_share: Share of the slices, along the third stored axis, in which every voxel has one value.
        blank_gaps: How many of these have other slices on both sides.
        copies_label: Whether it has one value in each structure and one outside of them, as a label has.
    """

    minimum: float
    maximum: float
    mean: float
    deviation: float
    nonfinite: int
    histogram: NDArray[np.int64]
    voxels: str = ""
    blank_share: float = 0.0
    blank_gaps: int = 0
    copies_label: bool = False

    @property
    def is_constant(self) -> bool:
        """Tell whether every voxel has one value."""
        return self.minimum == self.maximum


@dataclass(frozen=True)
class StructureFacts:
    """Where one labelled structure is in a case.

    Args:
        voxels: Voxels of the structure; 0 where it is absent.
        components: Its connected parts (26 neighbours).
        largest: Voxels of the largest part.
        specks: Parts of at most 3 voxels beside a larger one.
        box: Start and stop along canonical X, Y and Z; None where it is absent.
    """

    voxels: int
    components: int
    largest: int
    specks: int
    box: Box | None


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """Everything that is known of a case after one reading.

    Args:
        case_id: The case.
        content: SHA-256 of its files.
        voxels: SHA-256 of the image's voxels in canonical orientation, equal for the same image in another file.
        label_voxels: SHA-256 of the label's voxels likewise; "" without a label, or where it is one value throughout.
        shape: Voxels (X, Y, Z) in canonical orientation.
        spacing_mm: Spacing along canonical X, Y, Z; that of the nearest orthogonal grid where the axes are sheared.
        orientation: Orientation of the stored axes, such as "LPI".
        affine: 4 x 4 float64 matrix of the stored grid, from voxel indices to RAS+ mm.
        dtype: Stored data type of the first image file; "" where the format does not tell.
        limits: Per channel the 0.5 and 99.5 percentile of the whole image.
        samples: Foreground intensities `[C, n]`, n at most 10,000; n is 0 where they were not asked for.
        channels: Statistics of each channel.
        structures: By the name of each foreground structure, where it is; empty without a label.
        adjacency: Pairs of structures that touch (6 neighbours) or overlap, in the order of the labels.
        nonzero_shape: Canonical shape of the box of voxels that are not 0 in every channel.
        air_shape: Canonical shape of the box of what is denser than air in HU, as the crop "air" keeps it.
        thumbnail: uint8 `[h, w]`: one axial slice of the first channel, the patient's right on the left and the
            front on top; the picture itself where the image is 2-D.
        thumbnail_labels: uint8 `[h, w]` of the same slice: 0, or the position of a structure in `structures` plus 1.
        file_bytes: Size of all files of the case.
        patient: What tells this patient from others by the files themselves (a hash of DICOM's PatientID); "" where
            they do not say.
        warnings: Pairs of kind and text of what the readers warned of, with "channel 0" or "label" for a file.
    """

    case_id: str
    content: str
    voxels: str
    label_voxels: str
    shape: Shape
    spacing_mm: tuple[float, float, float]
    orientation: str
    affine: NDArray[np.float64]
    dtype: str
    limits: tuple[tuple[float, float], ...]
    samples: NDArray[np.float32]
    channels: tuple[ChannelFacts, ...]
    structures: dict[str, StructureFacts]
    adjacency: tuple[tuple[str, str], ...]
    nonzero_shape: Shape
    air_shape: Shape
    thumbnail: NDArray[np.uint8]
    thumbnail_labels: NDArray[np.uint8]
    file_bytes: int
    patient: str = ""
    warnings: tuple[tuple[str, str], ...] = ()

    @property
    def voxel_counts(self) -> dict[str, int]:
        """Return the voxels of each foreground structure."""
        return {name: structure.voxels for name, structure in self.structures.items()}

    @property
    def volume_mm3(self) -> dict[str, float]:
        """Return the volume of each foreground structure in cubic millimetres."""
        voxel = float(np.prod(self.spacing_mm))
        return {name: count * voxel for name, count in self.voxel_counts.items()}


_ARRAYS = ("affine", "samples", "thumbnail", "thumbnail_labels")


def save_facts(path: Path, facts: CaseFacts) -> None:
    """Write facts as NPZ, whole or not at all; the case's name is left out, as the content decides."""
    meta = {key: value for key, value in vars(facts).items() if key not in (*_ARRAYS, "case_id", "channels")}
    meta["structures"] = {name: asdict(structure) for name, structure in facts.structures.items()}
    meta["channels"] = [
        {key: value for key, value in vars(channel).items() if key != "histogram"} for channel in facts.channels
    ]
    arrays: dict[str, Any] = {name: getattr(facts, name) for name in _ARRAYS}
    arrays["histograms"] = np.stack([channel.histogram for channel in facts.channels])
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, meta=np.array(json.dumps(meta)), **arrays)


def load_facts(path: Path, case_id: str, *, samples: bool = True) -> CaseFacts:
    """Read what `save_facts` wrote, for the case of that name.

    Args:
        path: The file.
        case_id: The case.
        samples: Whether foreground intensities are read, which take more than all the rest.

    Raises:
        Exception: One of NO_FACTS, where the file is damaged or of another version.
    """
    with np.load(path, allow_pickle=False) as stored:
        meta: dict[str, Any] = json.loads(str(stored["meta"]))
        names = [name for name in (*_ARRAYS, "histograms") if samples or name != "samples"]
        arrays = {name: stored[name] for name in names}
    arrays.setdefault("samples", np.zeros((len(meta["channels"]), 0), np.float32))
    channels = zip(meta.pop("channels"), arrays.pop("histograms"), strict=True)
    structures = {
        name: StructureFacts(**(found | {"box": found["box"] and tuple(map(tuple, found["box"]))}))
        for name, found in meta.pop("structures").items()
    }
    for key in ("shape", "spacing_mm", "nonzero_shape", "air_shape"):
        meta[key] = tuple(meta[key])
    for key in ("limits", "adjacency", "warnings"):
        meta[key] = tuple(map(tuple, meta[key]))
    return CaseFacts(
        case_id=case_id,
        channels=tuple(ChannelFacts(**values, histogram=histogram) for values, histogram in channels),
        structures=structures,
        **meta,
        **arrays,
    )
