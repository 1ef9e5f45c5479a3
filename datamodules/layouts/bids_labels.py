"""The label files among the derivatives of a BIDS data set, by case."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.formats.errors import DataError
from datamodules.layouts.bids_names import BidsFile

NO_IMAGE = frozenset({"dseg", "mask", "probseg", "defacemask"})  # suffixes of files that label an image


@dataclass(frozen=True)
class Labels:
    """The label files of a data set.

    Args:
        by_case: The label file of each case, or its masks by structure.
        masks: Whether they are masks.
        notes: What was passed over.
    """

    by_case: dict[str, list[BidsFile]]
    masks: bool
    notes: tuple[str, ...]


def find_labels(root: Path, files: Sequence[BidsFile]) -> Labels:
    """Pick the label files, `*_dseg` before `*_label-NAME_mask`, and sort them by case.

    Where a case has labels in several spaces, that of its image is taken; where several lie in one folder, as of
    fMRIPrep, the one without `desc`.

    Raises:
        DataError: If there are none, or a case has two of a kind.
    """
    dseg = [file for file in files if file.suffix == "dseg"]
    masks = [file for file in files if file.suffix == "mask" and "label" in file.entities]
    if not dseg and not masks:
        raise DataError(
            root,
            expected="labels named *_dseg or *_label-NAME_mask among the derivatives",
            found=f"none among {len(files)} volumes",
            remedy="add them, or list the files in a CSV",
        )
    chosen = dseg or masks
    grouped: dict[tuple[str, str], list[BidsFile]] = defaultdict(list)
    for file in chosen:
        grouped[case_name(file), "" if dseg else file.entities["label"]].append(file)
    by_case: dict[str, list[BidsFile]] = defaultdict(list)
    for (name, _), found in sorted(grouped.items()):
        by_case[name].append(_only(root, found))
    taken = {id(file) for found in by_case.values() for file in found}
    spare = [file.path.name for file in files if file.suffix in NO_IMAGE and id(file) not in taken]
    shown = ", ".join(spare[:5]) + (" ..." if len(spare) > 5 else "")
    notes = (f"passed over {len(spare)} file(s) that label no case by themselves: {shown}",) if spare else ()
    return Labels(dict(by_case), not dseg, notes)


def case_name(label: BidsFile) -> str:
    """Name a case by what its label shares with its image: sub-01_ses-1_run-2."""
    return "_".join(f"{key}-{value}" for key, value in label.source.items())


def _only(root: Path, found: Sequence[BidsFile]) -> BidsFile:
    """Return the one label; of several the one in the space of the image, and in one folder that without `desc`."""
    native = [file for file in found if file.is_native] or found
    together = len({file.path.parent for file in native}) == 1
    plain = [file for file in native if "desc" not in file.entities]
    if together and len(plain) == 1:
        return plain[0]
    if len(native) > 1:
        elsewhere = "" if together else "name one data set of derivatives as data.root, "
        raise DataError(
            root,
            expected=f"one label of {case_name(native[0])}",
            found=", ".join(str(file.path.relative_to(root)) for file in native),
            remedy=f"move all but one elsewhere, {elsewhere}or list the files in a CSV",
        )
    return native[0]
