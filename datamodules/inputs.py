"""The cases that a prediction shall work through: one file or folder, or those within a folder."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from datamodules.case_names import (
    CHANNEL_SUFFIX,
    claim_channels,
    group_channels,
    is_there,
    list_volumes,
    refuse_twins,
)
from datamodules.cases import Case
from datamodules.formats import SUFFIXES, ReadOptions, dicom, image, is_volume_file, strip_suffix, suffix_of
from datamodules.formats.errors import DataError
from datamodules.input_folders import FolderVolume, dicom_volumes, slice_volumes

log = logging.getLogger(__name__)

Spacing = tuple[float, float, float]
_PLAIN = ReadOptions()


def find_inputs(
    path: Path, channels: int, *, series: str | None = None, spacing_mm: Spacing | None = None
) -> list[Case]:
    """List the cases to predict, sorted by id.

    A channel that is missing from a case is listed under the name that it should have: reading that case
    fails by name, and the others go on. A single file that holds all channels (a colour image) is taken as
    it is. Numbered images (img_0000.png to img_0099.png) are cases of their own where their numbers go beyond the
    model's channels.

    A folder of a DICOM series, or of slices whose spacing is stated, is one volume; below the input they are found at
    any depth, and called after the path to them. Several series in one folder are one case that reading refuses.

    Args:
        path: A volume file, a folder that is a volume, or a folder of both; hidden and other files are passed over.
        channels: The number of channels that the model needs.
        series: UID or number of the DICOM series to take, or "all" for each series as a case of its own.
        spacing_mm: Spacing along X, Y, Z of stacks and folders of slices.

    Raises:
        DataError: If nothing is there, ids are equal but for case (F31), every case has too few or too many
            channels (F32), or no series is the wanted one.
    """
    if not is_there(path):
        raise DataError(path, expected="a file or folder", found="nothing", remedy="check the path of the input")
    folders = _folder_volumes(path, series, spacing_mm)
    cases = [*_folder_cases(folders, channels, spacing_mm), *_file_cases(path, channels, folders, spacing_mm)]
    if not cases:
        raise DataError(
            path,
            expected=f"DICOM series, or volumes ({', '.join(SUFFIXES)})",
            found="none in the folder",
            remedy="give the folder that holds the image files themselves; for slices, state --slice-spacing-mm",
        )
    refuse_twins(path, [(case.id, str(case.images[0])) for case in cases])
    return sorted(cases, key=lambda case: case.id)


def _folder_volumes(path: Path, series: str | None, spacing_mm: Spacing | None) -> list[FolderVolume]:
    """Return the input's DICOM series and folders of slices."""
    if path.is_file():
        return dicom_volumes(path, series) if dicom.claims(path, _PLAIN) else []
    return [*dicom_volumes(path, series), *slice_volumes(path, spacing_mm)]


def _folder_cases(volumes: Sequence[FolderVolume], channels: int, spacing_mm: Spacing | None) -> list[Case]:
    """Return folders as cases; NAME_0000, NAME_0001, ... are the channels of one, DICOM series only where they fit."""
    refuse_twins(Path(), [(volume.name, str(volume.path)) for volume in volumes])
    names = {volume.name: volume for volume in volumes}
    groups: dict[str, list[FolderVolume]] = {}
    for name in sorted(names):
        match = CHANNEL_SUFFIX.fullmatch(name)
        whole = match is None or f"{match['name']}_0000" not in names
        groups.setdefault(name if whole or match is None else match["name"], []).append(names[name])
    return [
        Case(
            id=name,
            group=name,
            images=tuple(volume.path for volume in members),
            series=members[0].series if len(members) == 1 else None,  # a folder of each channel's own has one
            spacing_mm=spacing_mm if members[0].place is None else None,
        )
        for name, members in _fitting(groups, channels).items()
    ]


def _fitting(groups: Mapping[str, list[FolderVolume]], channels: int) -> dict[str, list[FolderVolume]]:
    """Part the DICOM series of a group that are not sure to be channels: archives number folders of series as well."""
    fitting: dict[str, list[FolderVolume]] = {}
    for name, members in groups.items():
        if len(members) == 1 or all(member.place is None for member in members):
            fitting[name] = members
            continue
        names = [member.name for member in members]
        places = {member.place for member in members}
        (place,) = places if len(places) == 1 else [None]
        if names == [f"{name}_{channel:04d}" for channel in range(channels)] and place is not None and all(place):
            log.info("%s: the series %s are taken as its %d channels", name, ", ".join(names), channels)
            fitting[name] = members
        else:
            log.info("%s: not taken as channels of one case, but as cases of their own", ", ".join(names))
            fitting |= {member.name: [member] for member in members}
    return fitting


def _file_cases(path: Path, channels: int, folders: Sequence[FolderVolume], spacing_mm: Spacing | None) -> list[Case]:
    """Return the cases of the files that belong to none of the folders."""
    taken = {volume.path for volume in folders}
    if path in taken and path.is_file():
        return []
    near = _volume_files(path, taken) if path.is_dir() else _siblings(path)
    # pictures beside the files of a series show it, and slices are no cases of their own
    near = [file for file in near if not _is_dicom(file) and not (path in taken and _is_image(file))]
    frames = _frames(near, channels)
    files = near if path.is_dir() or (path not in frames and channels > 1) else [path]
    if not files:
        return []
    groups = group_channels(path if path.is_dir() else path.parent, files, whole=frames)
    cases = [_input_case(name, groups[name], channels, spacing_mm) for name in sorted(groups)]
    if not folders:
        _refuse_wrong_channels(path, groups, channels)
    return cases


def _volume_files(folder: Path, taken: Collection[Path]) -> list[Path]:
    """List the volume files of a folder by name, and tell what is passed over; broken links count as files."""
    entries = sorted(folder.iterdir())
    files = [path for path in entries if is_volume_file(path) and not path.is_dir()]
    used = {*files, *taken, *(parent for path in taken for parent in path.parents)}
    ignored = [path.name for path in entries if path not in used]
    if ignored and folder not in taken:
        log.info("%s: passed over %d other entries: %s", folder, len(ignored), ", ".join(ignored[:10]))
    return files


def _is_dicom(path: Path) -> bool:
    return path.suffix.lower() in dicom.suffixes


def _frames(files: Sequence[Path], channels: int) -> frozenset[Path]:
    """Return the images whose digits are no channels, as some are higher than the model has."""
    images = [path for path in files if _is_image(path)]
    beyond = any(channel >= channels for _, channel, _ in claim_channels(images))
    return frozenset(images if beyond else ())


def _is_image(path: Path) -> bool:
    return suffix_of(path).lower() in image.suffixes


def _siblings(path: Path) -> list[Path]:
    """Return a single input with the other channels that may lie beside it."""
    if not is_volume_file(path):
        raise DataError(
            path,
            expected=f"a volume ({', '.join(SUFFIXES)})",
            found=f"a file named {path.name}",
            remedy="convert it to one of these formats",
        )
    match = CHANNEL_SUFFIX.fullmatch(strip_suffix(path))
    if match is None:
        return [path]
    others = [other for other in list_volumes(path.parent) if _channel_of(other, match["name"]) is not None]
    return others if any(_channel_of(other, match["name"]) == 0 for other in others) else [path]


def _channel_of(path: Path, name: str) -> int | None:
    """Return the channel number in the file's name, if it is a channel of case `name`."""
    match = CHANNEL_SUFFIX.fullmatch(strip_suffix(path))
    return int(match["channel"]) if match and match["name"] == name else None


def _input_case(name: str, found: Mapping[int, Path], channels: int, spacing_mm: Spacing | None) -> Case:
    files = dict(found)
    # a single image may hold all channels as colours
    if _channel_of(found[0], name) == 0 and not (len(found) == 1 and _is_image(found[0])):
        ending = found[0].name.removeprefix(strip_suffix(found[0]))
        for channel in range(channels):
            files.setdefault(channel, found[0].with_name(f"{name}_{channel:04d}{ending}"))
    return Case(id=name, group=name, images=tuple(files[channel] for channel in sorted(files)), spacing_mm=spacing_mm)


def _refuse_wrong_channels(path: Path, groups: Mapping[str, Mapping[int, Path]], channels: int) -> None:
    """Refuse when no case can fit; a single file may hold several channels, which reading will tell."""
    counts = {len(found) for found in groups.values()}
    single = any(
        len(found) == 1 and (_channel_of(found[0], name) is None or _is_image(found[0]))
        for name, found in groups.items()
    )
    if channels not in counts and not (single and channels > 1):
        raise DataError(
            path,
            expected=f"{channels} channel(s) per case, named NAME_0000 to NAME_{channels - 1:04d}",
            found=f"{', '.join(map(str, sorted(counts)))} file(s) per case",
            remedy="give the same channels as in training, or take a model that was trained on these; if the digits "
            "are no channels but part of the names, add the channel, as NAME_0001_0000",
        )
