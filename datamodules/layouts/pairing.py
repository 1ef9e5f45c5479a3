"""Images joined with the labels of the same name."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from datamodules.case_names import group_channels, list_volumes, refuse_twins, same_name
from datamodules.cases import Case
from datamodules.formats import FORMATS, SUFFIXES, dicom, is_volume_file, volume_name
from datamodules.formats.base import ReadOptions
from datamodules.formats.errors import DataError
from datamodules.layouts.base import Found, Stated


def list_images(folder: Path, options: ReadOptions, passed_over: Collection[str] = ()) -> list[Path]:
    """List the volumes of a folder by name: files, and folders of slices or of a DICOM series.

    Args:
        folder: Where to look.
        options: How they are read.
        passed_over: Names of folders, in lower case, that hold something else.
    """
    folders = [path for path in list_folders(folder) if path.name.lower() not in passed_over]
    return sorted([*list_volumes(folder), *(path for path in folders if is_volume_folder(path, options))])


def list_folders(folder: Path) -> list[Path]:
    """List the folders in a folder by name, but for hidden ones; links to folders are among them."""
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def is_volume_folder(path: Path, options: ReadOptions) -> bool:
    """Tell whether a format reads the folder as one volume."""
    return any(entry.claims(path, options) for entry in FORMATS)


def is_dicom(path: Path, options: ReadOptions) -> bool:
    """Tell whether a file or folder is read as a DICOM series."""
    return next((entry.name for entry in FORMATS if entry.claims(path, options)), None) == dicom.name


def by_name(folder: Path, files: Sequence[Path]) -> dict[str, Path]:
    """Return files by the name that their images bear.

    Raises:
        DataError: If names are equal but for case (F31).
    """
    refuse_twins(folder, [(volume_name(path), path.name) for path in files])
    return {same_name(volume_name(path)): path for path in files}


def by_channel(folder: Path, files: Sequence[Path], whole: Sequence[Path] = ()) -> dict[str, tuple[Path, ...]]:
    """Group files of `NAME_0000`, `NAME_0001`, ... into images, and refuse images of uneven channels.

    Raises:
        DataError: If a case has other channels than the rest.
    """
    groups = group_channels(folder, files, whole=whole)
    channels = {name: " ".join(f"_{channel:04d}" for channel in sorted(found)) for name, found in groups.items()}
    if len(set(channels.values())) > 1:
        raise DataError(
            folder,
            expected="the same channels in every case",
            found=", ".join(f"{name}: {numbers}" for name, numbers in sorted(channels.items())[:5]),
            remedy="add the missing channels, or name each mask as its image",
        )
    return {name: tuple(found[channel] for channel in sorted(found)) for name, found in groups.items()}


def join_labels(
    images: Mapping[str, tuple[Path, ...]], labels: Mapping[str, Path], folder: Path, stated: Stated
) -> Found:
    """Join images with the labels of the same name.

    Args:
        images: Files of each channel by case.
        labels: Label files by `same_name` of their case.
        folder: The folder of labels, which an error shall name.
        stated: What the user says.

    Raises:
        DataError: If an image has no label, unless that is allowed.
    """
    labelled = {name: found for name, found in images.items() if same_name(name) in labels}
    unlabelled = {name: found[0] for name, found in images.items() if name not in labelled}
    refuse_unlabelled(folder, sorted(unlabelled), len(images), stated, sorted(labels))
    names = {same_name(name) for name in images}
    return Found(
        [
            Case(name, name, found, labels[same_name(name)], spacing_mm=stated.spacing_mm)
            for name, found in labelled.items()
        ],
        unlabelled=tuple(sorted(unlabelled.values())),
        unused=tuple(labels[name] for name in sorted(labels) if name not in names),
    )


def refuse_unlabelled(
    folder: Path, names: Sequence[str], images: int, stated: Stated, labels: Sequence[str] = ()
) -> None:
    """Refuse images without a label, unless the user wants them listed.

    Args:
        folder: The folder of labels.
        names: The cases without a label.
        images: How many images there are.
        stated: What the user says.
        labels: Names of the labels that are there, some of which are shown.

    Raises:
        DataError: With their names.
    """
    if names and stated.complete:
        there = f"; the labels are named {', '.join(labels[:5])}" if labels else ""
        raise DataError(
            folder,
            expected=f"a label for each of {images} images",
            found=f"none for {len(names)}: {', '.join(names[:5])}{there}",
            remedy="add the labels under the names of the cases, or move the images elsewhere",
        )


def refuse_endings(folder: Path) -> None:
    """Refuse a folder that has files, but none of a known ending.

    Raises:
        DataError: With the endings that are there.
    """
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    endings = Counter(path.suffix.lower() or path.name for path in files if not is_volume_file(path))
    if endings:
        found = ", ".join(f"{count} x {ending}" for ending, count in endings.most_common(5))
        raise DataError(folder, f"files ending in {', '.join(SUFFIXES)}", found, "convert them, images to .png")
