"""What a data set says of itself, and what its folders hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datamodules.case_names import list_volumes
from datamodules.cases import CaseList
from datamodules.dataset_json import read_description
from datamodules.formats import volume_name
from datamodules.formats.errors import DataError
from datamodules.integrity.findings import Finding, of_error

_REQUIRED = ("channel_names", "labels", "numTraining", "file_ending")  # nnU-Net's documentation of its dataset format
_SHOWN = 8
# what a refused layout expected tells what was wrong with it
_REFUSALS = {
    "names that differ by more than": "name-twins",
    "channels _": "missing-channel",
    "the same channels in every case": "missing-channel",
    "names that end in the channel's number": "channel-names",
    "each group (patient) in one part": "patient-in-two-splits",
    "cases in both parts": "folds",
    "the labels' names and values": "labels-undeclared",
}


def of_layout(error: DataError) -> Finding:
    """Turn the refusal of a whole data set into a finding."""
    code = next((code for start, code in _REFUSALS.items() if error.expected.startswith(start)), "layout")
    return of_error(code, error)


def findings_of_description(listing: CaseList) -> list[Finding]:
    """Compare the listing with what is in the folders and in dataset.json.

    Args:
        listing: Listed with `complete=False`, so that images without a label are told here.
    """
    return [*_left_out(listing), *_dataset_json(listing)]


def _left_out(listing: CaseList) -> Iterator[Finding]:
    for case, files in listing.incomplete.items():
        message = f"not all of the {len(listing.channel_names)} channels are there: {files}"
        remedy = "add the missing files, or mend `channel_names` in dataset.json"
        yield Finding("missing-channel", "error", message, remedy, (case,))
    if listing.unlabelled:
        names = tuple(sorted(_name(path) for path in listing.unlabelled))
        message = f"{len(names)} images without a label: {_shown(names)}"
        remedy = "add the labels under the names of the cases, or move the images elsewhere"
        yield Finding("image-without-label", "error", message, remedy, names)
    if listing.unused:
        message = f"{len(listing.unused)} labels without an image: {_shown([path.name for path in listing.unused])}"
        remedy = "add the images under the names of the labels, or remove the labels"
        yield Finding("label-without-image", "warning", message, remedy, path=str(listing.unused[0].parent))
    for note in listing.notes:
        yield Finding("layout-note", "note", note, "nothing, if it is meant so")


def _dataset_json(listing: CaseList) -> Iterator[Finding]:
    path = listing.root / "dataset.json"
    if listing.layout not in ("nnunet", "msd"):
        return
    description = read_description(path)
    if missing := [key for key in _REQUIRED if listing.layout == "nnunet" and key not in description]:
        message = f"dataset.json lacks {', '.join(missing)}"
        remedy = "add them; nnU-Net itself would refuse the data set"
        yield Finding("dataset-json-incomplete", "warning", message, remedy, path=str(path))
    count = len(listing.cases) + len(listing.unlabelled) + len(listing.incomplete)
    if description.get("numTraining", count) != count:
        message = f"dataset.json states numTraining {description['numTraining']}, and there are {count} cases"
        remedy = "mend the number, or find the cases that are missing or too many"
        yield Finding("num-training", "warning", message, remedy, path=str(path))
    if listing.layout == "nnunet":
        yield from _endings(listing.root, description)


def _endings(root: Path, description: Mapping[str, Any]) -> Iterator[Finding]:
    ending = str(description.get("file_ending") or "")
    for folder in (root / "imagesTr", root / "labelsTr"):
        names = [path.name for path in list_volumes(folder)] if folder.is_dir() else []
        if others := [name for name in names if not name.endswith(ending)]:
            message = (
                f"{folder.name}/ holds volumes that do not end in {ending} as dataset.json states: {_shown(others)}"
            )
            remedy = "convert them to that format, or mend file_ending"
            yield Finding("file-ending", "warning", message, remedy, path=str(folder))


def _name(path: Path) -> str:
    """Return the case that an image's name belongs to."""
    return volume_name(path).removesuffix("_0000")


def _shown(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
