"""Mask files of one structure each: which structures there are, and whether every case has them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from datamodules.case_names import same_name
from datamodules.formats.errors import DataError
from datamodules.layouts.base import Declared


def complete_masks(
    root: Path, masks: Mapping[str, Collection[str]], declared: Declared | None, ordered: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the structures in their order, each of which every case has.

    Args:
        root: What an error shall name.
        masks: Names of the mask files of each case.
        ordered: The structures in their order where the user states none; without it by name.
        declared: The labels that the user states: their names choose and order the masks, value 0 is the background.

    Raises:
        DataError: If a mask is absent from a case; every one is named.
    """
    found = {name for names in masks.values() for name in names}
    wanted = tuple(same_name(name) for name, value in declared.items() if value not in (0, [0])) if declared else ()
    names = wanted or tuple(ordered) or tuple(sorted(found))
    absent = [f"{name} of {case}" for case, there in sorted(masks.items()) for name in names if name not in there]
    if absent:
        shown = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
        more = f" and {len(absent) - 10} more" if len(absent) > 10 else ""
        raise DataError(
            root,
            expected=f"a mask file for each of {shown} in every case",
            found=f"none for {', '.join(absent[:10])}{more}",
            remedy="add an empty mask where the structure is not there, or name in data.labels those to learn",
        )
    return names
