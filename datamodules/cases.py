"""A case: the files of one examination, its image and its label."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from datamodules.case_names import is_there
from datamodules.formats import read_labels, read_volume, volume_files
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume, stack_channels
from datamodules.labels import LabelSet
from datamodules.splits import Split


@dataclass(frozen=True)
class Case:
    """One examination.

    Args:
        id: Name of the case, unique in its data set.
        group: The patient; cases of one group never part in a split.
        images: One file or folder (a DICOM series, slices) per channel, or one that holds all channels.
        label: The label file, where there is one.
        masks: In place of `label`, one mask file per overlapping structure, in the order of the label set.
        volume_indices: For 4-D files, which volume of the file is the channel, one per image.
        all_volumes: Whether the volumes of 4-D files are the channels, all of them and in their order.
        series: UID or number of the DICOM series to read, where a folder holds several; one for all images, or one
            per image.
        spacing_mm: Stated spacing along X, Y, Z of stacks and folders of slices, which store none.

    Raises:
        ValueError: If there are no images, or both a label and masks.
    """

    id: str
    group: str
    images: tuple[Path, ...]
    label: Path | None = None
    masks: tuple[Path, ...] = ()
    volume_indices: tuple[int, ...] | None = None
    all_volumes: bool = False
    series: str | tuple[str | None, ...] | None = None
    spacing_mm: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError(f"case {self.id!r} has no image")
        if self.label is not None and self.masks:
            raise ValueError(f"case {self.id!r} has both a label file and mask files")

    @property
    def has_label(self) -> bool:
        """Whether there is something to learn from."""
        return self.label is not None or bool(self.masks)

    @property
    def label_files(self) -> tuple[Path, ...]:
        """The label file, or the mask files, or none."""
        return self.masks if self.label is None else (self.label,)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files and folders that the case names, each once."""
        return tuple(dict.fromkeys((*self.images, *self.label_files)))

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every single file that is read, with those within folders.

        Raises:
            DataError: If a file is absent, or a folder holds no volume.
        """
        refuse_absent(self.files, self.id)
        images = [path for i, image in enumerate(self.images) for path in volume_files(image, self.image_options(i))]
        labels = [path for label in self.label_files for path in volume_files(label, self.label_options())]
        return tuple(dict.fromkeys((*images, *labels)))

    def image_options(self, index: int | None = None, *, strict: bool = False) -> ReadOptions:
        """Return how to read an image; `index` is its place among `images`, without it that of the first file."""
        return ReadOptions(
            strict=strict,
            volume_index=None if index is None or self.volume_indices is None else self.volume_indices[index],
            all_volumes=self.all_volumes,
            series=self.series[index or 0] if isinstance(self.series, tuple) else self.series,
            spacing_mm=self.spacing_mm,
        )

    def only(self, index: int) -> "Case":
        """Return the case with a single one of its images."""
        return replace(
            self,
            images=(self.images[index],),
            volume_indices=None if self.volume_indices is None else (self.volume_indices[index],),
            series=self.series[index] if isinstance(self.series, tuple) else self.series,
        )

    def label_options(self) -> ReadOptions:
        """Return how to read the label or the masks."""
        return ReadOptions(spacing_mm=self.spacing_mm)


@dataclass(frozen=True)
class CaseList:
    """The labelled cases of a data set, sorted by id.

    Args:
        root: The folder or table that was searched.
        layout: Name of its layout.
        channel_names: In the order of the images' channels.
        labels: The structures.
        cases: The cases that have a label.
        split: Which cases train and which validate, where the data set itself says so.
        unlabelled: Images that were left out as they have no label.
        unused: Label files that were left out as they have no image.
        incomplete: The files of each case that was left out as it lacks a channel.
        notes: What else was passed over or looks odd, each as a sentence that names the files.
    """

    root: Path
    layout: str
    channel_names: tuple[str, ...]
    labels: LabelSet
    cases: tuple[Case, ...]
    split: Split | None = None
    unlabelled: tuple[Path, ...] = ()
    unused: tuple[Path, ...] = ()
    incomplete: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_image(case: Case, channels: int | None = None, *, strict: bool = False) -> Volume:
    """Read the image of a case `[C, X, Y, Z]`.

    Args:
        case: What to read.
        channels: The number of channels that the reader needs, where it is known.
        strict: Refuse doubtful geometry instead of warning of it.

    Raises:
        DataError: If a file is absent or broken, channels differ in geometry, or their number is wrong.
    """
    refuse_absent(case.images, case.id)
    volumes = [read_volume(path, case.image_options(i, strict=strict)) for i, path in enumerate(case.images)]
    volume = volumes[0] if len(volumes) == 1 else stack_channels(volumes)
    if channels is not None and volume.array.shape[0] != channels:
        raise DataError(
            case.images[0],
            expected=f"{channels} channel(s)",
            found=f"{volume.array.shape[0]} in {len(case.images)} file(s)",
            remedy="give all channels and no others, as NAME_0000, NAME_0001, ... or as the volumes of one 4-D file",
        )
    return volume


def read_label(case: Case) -> Volume:
    """Read the stored label of a case.

    Returns:
        Integers `[1, X, Y, Z]`, or `[K, X, Y, Z]` from a 4-D file or from one mask file per structure, which
        is then 0 or 1.

    Raises:
        DataError: If there is no label, a file is absent or broken, masks differ in geometry, or a mask
            holds more than one value besides 0.
    """
    if not case.has_label:
        raise DataError(case.images[0], "a label file", "none", "add it, or take the case out of training")
    refuse_absent(case.label_files, case.id)
    if case.label is not None:
        return read_labels(case.label, case.label_options())
    return _read_masks(case)


def _read_masks(case: Case) -> Volume:
    """Read the mask files into one array, so that no more than one of them is held beside it."""
    first = _read_mask(case.masks[0], case.label_options())
    array = np.empty((len(case.masks), *first.shape), np.uint8)
    array[0] = first.array[0]
    for index, path in enumerate(case.masks[1:], start=1):
        mask = _read_mask(path, case.label_options())
        stack_channels([_without_voxels(first), _without_voxels(mask)])  # refuses another grid
        array[index] = mask.array[0]
    return Volume(array, first.affine, first.path)


def _without_voxels(volume: Volume) -> Volume:
    return replace(volume, array=volume.array[:0])


def _read_mask(path: Path, options: ReadOptions) -> Volume:
    volume = read_labels(path, options)
    present = volume.array != 0
    value = volume.array.flat[int(present.argmax())]
    if len(volume.array) != 1 or not (volume.array == value)[present].all():
        values = np.unique(volume.array)[:10].tolist()
        found = f"{len(volume.array)} volumes" if len(volume.array) != 1 else f"values {values}"
        remedy = "give each structure its own mask file, or declare a label file of several values"
        raise DataError(path, "a mask of one structure: 0 and one other value", found, remedy)
    return Volume(present.view(np.uint8), volume.affine, path)


def refuse_absent(paths: Sequence[Path], case_id: str) -> None:
    """Refuse files and folders that are not there; a link that leads nowhere is called by its name.

    Raises:
        DataError: For the first one.
    """
    for path in paths:
        if not is_there(path):
            found = f"a symbolic link to {path.readlink()}, which is not there" if path.is_symlink() else "none"
            raise DataError(path, f"a file of case {case_id}", found, "add what is missing, or mend the link")
