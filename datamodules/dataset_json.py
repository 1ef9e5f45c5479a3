"""The `dataset.json` of nnU-Net and of the Medical Segmentation Decathlon."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.case_names import is_there
from datamodules.formats.errors import DataError


def read_description(path: Path) -> dict[str, Any]:
    """Read a `dataset.json`; without one the description is empty.

    Raises:
        DataError: If it is no JSON object, or its channels are not numbered from 0.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # of the encoding as well as of the JSON
        raise DataError(path, expected="JSON", found=str(error), remedy="mend the file") from error
    if not isinstance(content, dict):
        raise DataError(path, expected="a JSON object", found=type(content).__name__, remedy="mend the file")
    for key in ("channel_names", "modality"):
        names = content.get(key, {})
        if not isinstance(names, dict) or set(names) != {str(channel) for channel in range(len(names))}:
            raise DataError(path, expected=f'`{key}` such as {{"0": "CT"}}', found=str(names), remedy="mend it")
    return content


def is_decathlon(root: Path, description: Mapping[str, Any]) -> bool:
    """Tell MSD's file list from that of nnU-Net v1, which lists names without their channel ending."""
    listed = description.get("training")
    if not isinstance(listed, list) or not all(isinstance(e, dict) and {"image", "label"} <= set(e) for e in listed):
        return False
    return any(is_there(root / str(entry["image"])) for entry in listed)


def declared_channels(description: Mapping[str, Any]) -> list[str]:
    """Return the names of the channels in order; none where the description has none."""
    names = description.get("channel_names") or description.get("modality") or {}
    return [str(names[str(channel)]) for channel in range(len(names))]


def listed_files(path: Path, description: Mapping[str, Any]) -> dict[str, tuple[tuple[Path, ...], Path]]:
    """Return images and label of each case that nnU-Net's `dataset` lists, wherever they lie.

    Args:
        path: The `dataset.json`; paths in it are relative to its folder.
        description: Its content.

    Raises:
        DataError: If an entry is not understood, or files are not there.
    """
    found: dict[str, tuple[tuple[Path, ...], Path]] = {}
    for name, entry in _items(path, description["dataset"]):
        images = entry.get("images") if isinstance(entry, dict) else None
        if not isinstance(images, list) or not images or not isinstance(entry.get("label"), str):
            expected = '`dataset` such as {"NAME": {"images": ["a_0000.nii.gz"], "label": "b.nii.gz"}}'
            raise DataError(path, expected, f"{name}: {entry}", "mend it")
        found[name] = (tuple(path.parent / str(image) for image in images), path.parent / entry["label"])
    every = [file for images, label in found.values() for file in (*images, label)]
    if missing := [str(file) for file in every if not is_there(file)]:
        raise DataError(
            path,
            expected="every file of `dataset` to be there",
            found=f"{len(missing)} missing: {', '.join(missing[:5])}",
            remedy="add the files, or take them from the list",
        )
    return found


def _items(path: Path, listed: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - it comes from JSON
    if not isinstance(listed, dict):
        raise DataError(path, "`dataset` to be a JSON object", type(listed).__name__, "mend it")
    return list(listed.items())
