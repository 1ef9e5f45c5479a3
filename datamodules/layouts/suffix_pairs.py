"""One plain folder: each image beside its label, whose name ends in what it is."""

import re
from collections import defaultdict
from pathlib import Path

from datamodules.case_names import list_volumes, name_key, refuse_twins, same_name
from datamodules.formats import volume_name
from datamodules.formats.errors import DataError
from datamodules.layouts.base import Found, Stated
from datamodules.layouts.pairing import join_labels
from datamodules.layouts.pairs import images_of

NAME = "suffix_pairs"
EXAMPLE = """\
NAME.nii.gz                 (or NAME_0000, NAME_0001 for channels)
NAME_seg.nii.gz             (or _mask, _label, _labels, _segmentation, _gt)"""
_LABEL = re.compile(r"(?P<name>.+)[_-](?:seg|segmentation|mask|label|labels|gt)", re.IGNORECASE | re.DOTALL)


def claims(root: Path) -> bool:
    """Tell whether a file lies beside one of its name with the ending of a label."""
    if not root.is_dir():
        return False
    names = {name_key(volume_name(path)) for path in list_volumes(root)}
    return any((match := _LABEL.fullmatch(name)) and _image_of(match["name"], names) for name in names)


def cases(root: Path, stated: Stated) -> Found:
    """List the images with the labels beside them.

    Raises:
        DataError: If an image has no label or several, or channels are uneven.
    """
    files = list_volumes(root)
    labels = defaultdict(list)
    for path in files:
        if match := _LABEL.fullmatch(volume_name(path)):
            labels[same_name(match["name"])].append(path)
    if several := [paths for paths in labels.values() if len(paths) > 1]:
        raise DataError(
            root,
            expected="one label file for each image",
            found="; ".join(", ".join(path.name for path in paths) for paths in several[:5]),
            remedy="move all but one elsewhere, or name masks of overlapping structures in a CSV",
        )
    taken = {path for paths in labels.values() for path in paths}
    refuse_twins(root, [(name, paths[0].name) for name, paths in labels.items()])
    images = images_of(root, [path for path in files if path not in taken], labels)
    return join_labels(images, {name: paths[0] for name, paths in labels.items()}, root, stated)


def _image_of(name: str, names: set[str]) -> bool:
    return name in names or f"{name}_0000" in names
