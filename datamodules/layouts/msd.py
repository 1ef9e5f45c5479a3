"""The layout of the Medical Segmentation Decathlon: a dataset.json that lists images and labels."""

from pathlib import Path

from datamodules.case_names import is_there
from datamodules.cases import Case
from datamodules.dataset_json import is_decathlon, read_description
from datamodules.formats import volume_name
from datamodules.formats.errors import DataError
from datamodules.layouts.base import Found, Stated

NAME = "msd"
EXAMPLE = """\
dataset.json                (its list `training` names the files)
imagesTr/NAME.nii.gz        (channels as a fourth axis)
labelsTr/NAME.nii.gz"""


def claims(root: Path) -> bool:
    """Tell whether the list `training` of dataset.json names files that are there."""
    return is_decathlon(root, read_description(root / "dataset.json"))


def cases(root: Path, stated: Stated) -> Found:
    """List the cases that dataset.json names; all volumes of a file are its channels.

    Raises:
        DataError: If files that are listed are not there.
    """
    found, missing = [], []
    for entry in read_description(root / "dataset.json")["training"]:
        scan, label = root / str(entry["image"]), root / str(entry["label"])
        name = volume_name(scan)
        found.append(Case(name, name, (scan,), label, all_volumes=True, spacing_mm=stated.spacing_mm))
        missing += [str(path) for path in (scan, label) if not is_there(path)]
    if missing:
        raise DataError(
            root / "dataset.json",
            expected="every listed file to be there",
            found=f"{len(missing)} missing: {', '.join(missing[:5])}",
            remedy="add the files, or take them from the list `training`",
        )
    return Found(found)
