"""From the voxels of a case to its facts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.cases import Case
from datamodules.formats.geometry import Geometry, Shape
from datamodules.formats.volume import Volume
from datamodules.geometry import bounding_box, box_shape, canonical_array, to_canonical
from datamodules.hashing import seed_of
from datamodules.integrity.facts import CaseFacts, ChannelFacts
from datamodules.integrity.measures import (
    blank_slices,
    channel_facts,
    copies_label,
    hash_voxels,
    structure_facts,
    touching,
)
from datamodules.integrity.patients import patient_of
from datamodules.integrity.thumbnail import thumbnail
from datamodules.labels import LabelSet
from datamodules.preprocessing import AIR_HU, AIR_MARGIN
from datamodules.training_range import intensity_limits

MAX_SAMPLES = 10_000  # foreground voxels kept of a case


def measure_case(
    case: Case, image: Volume, label: NDArray[Any] | None, labels: LabelSet, *, content: str, dtype: str = ""
) -> CaseFacts:
    """Measure a case that was read and found to be in order.

    Args:
        case: Where it came from.
        image: Its voxels `[C, X, Y, Z]`, all finite.
        label: Class indices `[X, Y, Z]` or masks `[K, X, Y, Z]` on the image's grid, where it has a label.
        labels: The structures.
        content: The hash of its files.
        dtype: Stored data type of the first image file.
    """
    # files store the first axis fastest: turned once here, not in each of the steps that walk through memory
    image = replace(image, array=np.ascontiguousarray(image.array))
    canonical = to_canonical(image)
    turned = None if label is None else canonical_array(label, image.affine)
    limits = intensity_limits(image)
    picture, marks = thumbnail(canonical.array[0], turned, canonical.spacing_mm, limits[0])
    channels = tuple(
        _channel(stored, upright, label) for stored, upright in zip(image.array, canonical.array, strict=True)
    )
    return CaseFacts(
        case_id=case.id,
        content=content,
        voxels=hashlib.sha256(" ".join(channel.voxels for channel in channels).encode()).hexdigest(),
        label_voxels="" if turned is None or (turned == turned.flat[0]).all() else hash_voxels(turned),
        shape=canonical.shape,
        spacing_mm=_spacing(canonical.geometry),
        orientation=image.orientation,
        affine=np.array(image.affine),
        dtype=dtype,
        limits=limits,
        samples=_samples(image.array, label, seed_of(content)),
        channels=channels,
        structures={} if turned is None else structure_facts(turned, labels.names),
        adjacency=() if turned is None else touching(turned, labels.names),
        nonzero_shape=_kept(np.any(canonical.array, axis=0)),
        air_shape=_kept(canonical.array[0] > AIR_HU, AIR_MARGIN),
        thumbnail=picture,
        thumbnail_labels=marks,
        file_bytes=sum(path.stat().st_size for path in case.all_files),
        patient=patient_of(case.images[0]),
    )


def _channel(
    stored: NDArray[np.float32],
    canonical: NDArray[np.float32],
    label: NDArray[Any] | None,
) -> ChannelFacts:
    """Measure a channel `[X, Y, Z]`, as it is stored and as it lies in the patient."""
    share, gaps = blank_slices(stored)
    return replace(
        channel_facts(stored, finite=True),
        voxels=hash_voxels(canonical),
        blank_share=share,
        blank_gaps=gaps,
        copies_label=label is not None and copies_label(stored, label),
    )


def _spacing(canonical: Geometry) -> tuple[float, float, float]:
    return canonical.orthogonal().spacing_mm if canonical.is_sheared else canonical.spacing_mm


def _kept(mask: NDArray[np.bool_], margin: int = 0) -> Shape:
    """Return the shape of the box around the true voxels; the whole where there are none."""
    box = bounding_box(mask, margin)
    x, y, z = mask.shape if box is None else box_shape(box)
    return x, y, z


def _samples(image: NDArray[np.float32], label: NDArray[Any] | None, seed: int) -> NDArray[np.float32]:
    """Draw foreground intensities `[C, n]`, always the same ones for a seed."""
    if label is None:
        return np.zeros((len(image), 0), np.float32)
    foreground = np.flatnonzero(label.any(axis=0) if label.ndim == 4 else label)
    if len(foreground) > MAX_SAMPLES:
        chosen = np.random.default_rng(seed).choice(len(foreground), MAX_SAMPLES, replace=False)
        foreground = foreground[np.sort(chosen)]
    return image.reshape(len(image), -1)[:, foreground].astype(np.float32)
