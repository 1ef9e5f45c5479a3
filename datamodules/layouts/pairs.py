"""Two folders, one of images and one of labels under the same names."""

from collections.abc import Collection, Sequence
from pathlib import Path

from datamodules.case_names import claim_channels, same_name
from datamodules.formats import format_of, volume_name
from datamodules.formats.errors import DataError
from datamodules.layouts.base import Found, Stated
from datamodules.layouts.pairing import (
    by_channel,
    by_name,
    join_labels,
    list_folders,
    list_images,
    refuse_endings,
)

NAME = "images_masks"
EXAMPLE = """\
images/NAME.png             (or image/, imagesTr/; NAME_0000, NAME_0001 for channels; or a folder NAME/ of slices)
masks/NAME.png              (or mask/, labels/, label/, labelsTr/, segmentations/)"""
IMAGE_FOLDERS = ("images", "image", "imagestr")
LABEL_FOLDERS = ("masks", "mask", "labels", "label", "labelstr", "segmentations")


def claims(root: Path) -> bool:
    """Tell whether there is a folder of images and one of labels."""
    return all(_folders(root, names) for names in (IMAGE_FOLDERS, LABEL_FOLDERS))


def cases(root: Path, stated: Stated) -> Found:
    """List the images with the labels of the same name.

    Raises:
        DataError: If channels are uneven, a label is missing, or folders cannot be told apart.
    """
    image_folder, label_folder = folders_of(root)
    files = list_images(image_folder, stated.options)
    folders = list_folders(image_folder)
    if folders and not files:
        format_of(folders[0], stated.options)  # it tells how to state the spacing of slices
    if not files:
        refuse_endings(image_folder)
    labels = by_name(label_folder, list_images(label_folder, stated.options))
    images = images_of(image_folder, files, labels)
    return join_labels(images, labels, label_folder, stated)


def images_of(folder: Path, files: Sequence[Path], labels: Collection[str]) -> dict[str, tuple[Path, ...]]:
    """Group the files of a folder into images by the names that their labels bear.

    Raises:
        DataError: If channels are uneven.
    """
    as_channels = sum(same_name(name) in labels for name, _, _ in claim_channels(files))
    as_names = sum(same_name(volume_name(path)) in labels for path in files)
    # the digits of img_0000, img_0001, ... are no channels where the masks bear them as well
    return by_channel(folder, files, files if as_names >= as_channels else [])


def folders_of(root: Path) -> tuple[Path, Path]:
    """Return the folder of images and that of labels.

    Raises:
        DataError: If there are several of a kind.
    """
    chosen = []
    for kind, names in (("images", IMAGE_FOLDERS), ("labels", LABEL_FOLDERS)):
        found = _folders(root, names)
        if len(found) != 1:
            shown = ", ".join(f"{path.name}/" for path in found)
            raise DataError(root, f"one folder of {kind}", shown, "move all but one elsewhere, or list them in a CSV")
        chosen += found
    return chosen[0], chosen[1]


def _folders(root: Path, names: tuple[str, ...]) -> list[Path]:
    if not root.is_dir():
        return []
    return [path for path in sorted(root.iterdir()) if path.name.lower() in names and path.is_dir()]
