"""nnU-Net's raw layout: numbered channels in imagesTr/, labels in labelsTr/, names in dataset.json."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamodules.case_names import CHANNEL_SUFFIX, group_channels, list_volumes, refuse_unsafe, same_name
from datamodules.cases import Case
from datamodules.dataset_json import declared_channels, is_decathlon, listed_files, read_description
from datamodules.formats import image, suffix_of, volume_name
from datamodules.formats.errors import DataError
from datamodules.layouts.base import Found, Stated
from datamodules.layouts.pairing import by_name, join_labels

NAME = "nnunet"
EXAMPLE = """\
dataset.json
imagesTr/NAME_0000.nii.gz   (NAME_0001 for a second channel)
labelsTr/NAME.nii.gz"""


def claims(root: Path) -> bool:
    """Tell whether there is a dataset.json with imagesTr/, or with a list of files."""
    if not (root / "dataset.json").is_file():
        return False
    description = read_description(root / "dataset.json")
    return bool(description.get("dataset")) or ((root / "imagesTr").is_dir() and not is_decathlon(root, description))


def cases(root: Path, stated: Stated) -> Found:
    """List the cases of imagesTr/ with their labels in labelsTr/, or those that dataset.json lists.

    Raises:
        DataError: If a channel or a label is missing, or names bear no channel.
    """
    description = read_description(root / "dataset.json")
    wanted = list(range(len(declared_channels(description)) or 1))
    if description.get("dataset"):
        return _listed(root, description, len(wanted), stated)
    folder = root / "imagesTr"
    files = _of_ending(folder, description)
    if unnumbered := [path.name for path in files if not CHANNEL_SUFFIX.fullmatch(volume_name(path))]:
        raise DataError(
            folder,
            expected="names that end in the channel's number, as NAME_0000",
            found=", ".join(unnumbered[:5]),
            remedy="rename them",
        )
    groups = group_channels(folder, files)
    incomplete = {
        name: ", ".join(path.name for path in found.values())
        for name, found in sorted(groups.items())
        if sorted(found) != wanted and not _is_one_image(found)
    }
    if incomplete and (stated.complete or len(incomplete) == len(groups)):
        raise DataError(
            folder,
            expected=f"channels {', '.join(f'_{channel:04d}' for channel in wanted)} of every case",
            found="; ".join([f"{name}: {files}" for name, files in incomplete.items()][:5]),
            remedy="add the missing files, or mend `channel_names` in dataset.json",
        )
    if not (root / "labelsTr").is_dir():
        raise DataError(root / "labelsTr", expected="a folder of labels", found="none", remedy="add it")
    whole = {name: found for name, found in groups.items() if name not in incomplete}
    images = {name: tuple(found[channel] for channel in sorted(found)) for name, found in whole.items()}
    labels = by_name(root / "labelsTr", _of_ending(root / "labelsTr", description))
    mine = {name: path for name, path in labels.items() if name not in map(same_name, incomplete)}
    return replace(join_labels(images, mine, root / "labelsTr", stated), incomplete=incomplete)


def _of_ending(folder: Path, description: Mapping[str, Any]) -> list[Path]:
    """Return the volumes of a folder that end as dataset.json says, all of them where it says nothing."""
    ending = str(description.get("file_ending") or "")
    volumes = list_volumes(folder)
    files = [path for path in volumes if path.name.endswith(ending)]
    if volumes and not files:
        found = ", ".join(path.name for path in volumes[:5])
        raise DataError(folder, f"files ending in {ending}", found, "mend `file_ending` in dataset.json")
    return files


def _is_one_image(found: Mapping[int, Path]) -> bool:
    """Tell whether a case is one PNG, TIFF or BMP, which may hold all channels as colours: reading it will tell."""
    return list(found) == [0] and suffix_of(found[0]).lower() in image.suffixes


def _listed(root: Path, description: Mapping[str, Any], channels: int, stated: Stated) -> Found:
    listed = listed_files(root / "dataset.json", description)
    refuse_unsafe(root / "dataset.json", [(name, "a key of `dataset`") for name in listed])
    for name, (images, _) in listed.items():
        if len(images) != channels and not _is_one_image(dict(enumerate(images))):
            raise DataError(
                root / "dataset.json",
                expected=f"{channels} image(s) for each case of `dataset`",
                found=f"{len(images)} for {name}",
                remedy="list all channels in their order, or mend `channel_names`",
            )
    return Found(
        [Case(name, name, files, label, spacing_mm=stated.spacing_mm) for name, (files, label) in listed.items()]
    )
