"""The labelled cases of a folder, in whichever of the known layouts it is."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamodules.cases import (
    CHANNEL_SUFFIX,
    Case,
    CaseList,
    claim_channels,
    group_channels,
    list_volumes,
    read_image,
    refuse_twins,
    same_name,
)
from datamodules.dataset_json import declared_channels, is_decathlon, read_description
from datamodules.formats import image, strip_suffix, suffix_of
from datamodules.formats.errors import DataError
from datamodules.inputs import find_inputs
from datamodules.labels import LabelSet

__all__ = ["Case", "CaseList", "find_cases", "find_inputs", "read_image"]

log = logging.getLogger(__name__)

Declared = Mapping[str, int | list[int]]
_LAYOUTS = "dataset.json + imagesTr/ + labelsTr/ (nnU-Net or Medical Segmentation Decathlon), or images/ + masks/"


def find_cases(
    root: Path,
    *,
    labels: Declared | None = None,
    group_pattern: str | None = None,
    label_map: Mapping[int, int] | None = None,
) -> CaseList:
    """List the labelled cases of a data set.

    Args:
        root: Folder in the nnU-Net raw layout, that of the Medical Segmentation Decathlon, or with `images/`
            and `masks/`.
        labels: `{name: value}`, in place of those of `dataset.json`.
        group_pattern: Regular expression whose first group, searched in a case's id, names its patient.
            Without it each case is a group of its own.
        label_map: `{stored: declared}` label values, applied before they are checked.

    Raises:
        DataError: If there are no cases, a label or channel is missing, or names are equal but for case.
    """
    if not root.is_dir():
        raise DataError(root, expected="a folder", found="none", remedy="check data.root")
    description = read_description(root / "dataset.json")
    if (root / "imagesTr").is_dir():
        layout = "msd" if is_decathlon(root, description) else "nnunet"
        cases = _decathlon_cases(root, description) if layout == "msd" else _nnunet_cases(root, description)
    elif (root / "images").is_dir() and (root / "masks").is_dir():
        layout, cases = "images_masks", _paired_cases(root)
    else:
        found = ", ".join(sorted(path.name for path in root.iterdir())[:10]) or "an empty folder"
        raise DataError(root, expected=_LAYOUTS, found=found, remedy="check data.root, or rearrange the folder")
    if not cases:
        raise DataError(root, expected="labelled cases", found="none", remedy=f"fill the folder as {_LAYOUTS}")
    refuse_twins(root, [(case.id, case.images[0].name) for case in cases])
    return CaseList(
        root=root,
        layout=layout,
        channel_names=_channel_names(description, cases),
        labels=_labels(root, labels or description.get("labels"), label_map),
        cases=tuple(_with_group(case, group_pattern) for case in sorted(cases, key=lambda case: case.id)),
    )


def _nnunet_cases(root: Path, description: Mapping[str, Any]) -> list[Case]:
    ending = str(description.get("file_ending", ""))
    files = [path for path in list_volumes(root / "imagesTr") if path.name.endswith(ending)]
    if unnumbered := [path.name for path in files if not CHANNEL_SUFFIX.fullmatch(strip_suffix(path))]:
        raise DataError(
            root / "imagesTr",
            expected="names that end in the channel's number, as NAME_0000",
            found=", ".join(unnumbered[:5]),
            remedy="rename them",
        )
    groups = group_channels(root / "imagesTr", files)
    wanted = list(range(len(declared_channels(description)) or 1))
    if wrong := [name for name in groups if sorted(groups[name]) != wanted and not _is_one_image(groups[name])]:
        found = [f"{name}: {', '.join(path.name for path in groups[name].values())}" for name in sorted(wrong)]
        raise DataError(
            root / "imagesTr",
            expected=f"channels {', '.join(f'_{channel:04d}' for channel in wanted)} of every case",
            found="; ".join(found[:5]),
            remedy="add the missing files, or mend `channel_names` in dataset.json",
        )
    images = {name: tuple(found[channel] for channel in sorted(found)) for name, found in groups.items()}
    return _with_labels(images, root / "imagesTr", root / "labelsTr")


def _is_one_image(found: Mapping[int, Path]) -> bool:
    """Tell whether a case is one PNG, TIFF or BMP, which may hold all channels as colours: reading it will tell."""
    return list(found) == [0] and suffix_of(found[0]).lower() in image.SUFFIXES


def _decathlon_cases(root: Path, description: Mapping[str, Any]) -> list[Case]:
    cases, missing = [], []
    for entry in description["training"]:
        scan, label = root / str(entry["image"]), root / str(entry["label"])
        cases.append(Case(strip_suffix(scan), strip_suffix(scan), (scan,), label, all_volumes=True))
        missing += [str(path) for path in (scan, label) if not path.exists()]
    if missing:
        raise DataError(
            root / "dataset.json",
            expected="every listed file to be there",
            found=f"{len(missing)} missing: {', '.join(missing[:5])}",
            remedy="add the files, or take them from the list `training`",
        )
    return cases


def _paired_cases(root: Path) -> list[Case]:
    files = list_volumes(root / "images")
    masks = {same_name(strip_suffix(path)) for path in list_volumes(root / "masks")}
    as_channels = sum(same_name(name) in masks for name, _, _ in claim_channels(files))
    as_names = sum(same_name(strip_suffix(path)) in masks for path in files)
    # the digits of img_0000, img_0001, ... are no channels where the masks bear them as well
    groups = group_channels(root / "images", files, whole=set(files) if as_names >= as_channels else ())
    channels = {name: " ".join(f"_{channel:04d}" for channel in sorted(found)) for name, found in groups.items()}
    if len(set(channels.values())) > 1:
        raise DataError(
            root / "images",
            expected="the same channels in every case",
            found=", ".join(f"{name}: {numbers}" for name, numbers in sorted(channels.items())[:5]),
            remedy="add the missing channels, or name each mask as its image",
        )
    images = {name: tuple(found[channel] for channel in sorted(found)) for name, found in groups.items()}
    return _with_labels(images, root / "images", root / "masks")


def _with_labels(images: Mapping[str, tuple[Path, ...]], image_folder: Path, label_folder: Path) -> list[Case]:
    """Join images with the labels of the same name."""
    if not label_folder.is_dir():
        raise DataError(label_folder, expected="a folder of labels", found="none", remedy="add it")
    files = list_volumes(label_folder)
    refuse_twins(label_folder, [(strip_suffix(path), path.name) for path in files])
    labels = {same_name(strip_suffix(path)): path for path in files}
    if unlabelled := sorted(name for name in images if same_name(name) not in labels):
        raise DataError(
            label_folder,
            expected=f"a label for each of {len(images)} images in {image_folder.name}/",
            found=f"none for {len(unlabelled)}: {', '.join(unlabelled[:5])}",
            remedy="add the labels under the names of the cases, or move the images elsewhere",
        )
    if unused := sorted(set(labels) - {same_name(name) for name in images}):
        log.warning("%s: %d labels without an image: %s", label_folder, len(unused), ", ".join(unused[:5]))
    return [Case(name, name, found, labels[same_name(name)]) for name, found in images.items()]


def _channel_names(description: Mapping[str, Any], cases: Sequence[Case]) -> tuple[str, ...]:
    """Name the channels by dataset.json, or by what the first case holds."""
    if names := declared_channels(description):
        return tuple(names)
    count = len(cases[0].images)
    if count == 1:
        count = read_image(cases[0]).array.shape[0]
    return {1: ("image",), 3: ("red", "green", "blue")}.get(count) or tuple(f"channel_{i}" for i in range(count))


def _labels(root: Path, labels: Mapping[str, Any] | None, label_map: Mapping[int, int] | None) -> LabelSet:
    if not labels:
        raise DataError(
            root,
            expected="the labels' names and values",
            found="neither a dataset.json with `labels` nor `data.labels`",
            remedy="set data.labels, for example {membrane: 0, cell: 255}",
        )
    return LabelSet.from_json(labels, path=root / "dataset.json", label_map=label_map)


def _with_group(case: Case, pattern: str | None) -> Case:
    if pattern is None:
        return case
    try:
        match = re.search(pattern, case.id)
        group = match.group(1) if match else None
    except (re.error, IndexError) as error:
        raise DataError(
            Path("data.split.group_pattern"),
            expected="a regular expression with one group",
            found=f"{pattern!r}: {error}",
            remedy=r"mend it, for example '(.+)_\d+'",
        ) from error
    if not group:
        raise DataError(
            case.images[0],
            expected=f"a name that data.split.group_pattern {pattern!r} finds a group in",
            found=case.id,
            remedy="widen the pattern, so that every case has its patient",
        )
    return replace(case, group=group)
