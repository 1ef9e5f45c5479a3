"""Names of files in BIDS: pairs of key and value, then what the file is, then its ending."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datamodules.formats import is_volume_file, volume_name
from datamodules.formats.errors import DataError

# Entities that a derivative adds to those of its source.
_ADDED = frozenset({"space", "cohort", "res", "den", "label", "desc", "seg", "atlas", "hemi"})
_GRID = ("cohort", "res", "den")  # those that say on which grid a file is, besides the space
_NATIVE = frozenset({"orig", "individual", "native", "subject", "FLAIR"})


@dataclass(frozen=True)
class BidsFile:
    """A file of a BIDS data set.

    Args:
        path: Where it lies.
        suffix: What it is, such as T1w or dseg.
        datatype: The folder that it lies in, such as anat.
        entities: Its pairs of key and value, such as sub and 01.
    """

    path: Path
    suffix: str
    datatype: str
    entities: Mapping[str, str]

    @property
    def source(self) -> dict[str, str]:
        """The entities that it shares with the image that it was made from."""
        return {key: value for key, value in self.entities.items() if key not in _ADDED}

    @property
    def visit(self) -> tuple[str, str | None]:
        """Subject and session."""
        return self.entities["sub"], self.entities.get("ses")

    @property
    def is_native(self) -> bool:
        """Whether it lies in the space of a raw image: no space is named, or that of the scan, such as T1w."""
        space = self.entities.get("space")
        return space is None or space in _NATIVE or space.endswith("w")

    def misfit(self, image: "BidsFile") -> tuple[int, int] | None:
        """Count what a label and an image do not share; None where they contradict each other.

        Both lie in the folder of one kind of data, and in the same space and resolution. First come the entities of
        the source that only one of them has; then, of images in the patient's own space, what was added to the raw
        one, which fits best.
        """
        own, other = self.source, image.source
        if self.visit != image.visit or self.datatype != image.datatype or self.is_native != image.is_native:
            return None
        if any(own[key] != other[key] for key in own.keys() & other.keys()):
            return None
        grid = [key for key in _GRID if key in self.entities and key in image.entities]
        if any(self.entities[key] != image.entities[key] for key in grid):
            return None
        if not self.is_native and self.entities["space"] != image.entities["space"]:
            return None
        return len(own.keys() ^ other.keys()), len(image.entities) - len(other) if self.is_native else 0


def parse_name(path: Path, name: str) -> BidsFile | None:
    """Read the name of a file, without its ending; None if it is not one of BIDS."""
    *pairs, suffix = name.split("_")
    split = [pair.split("-", 1) for pair in pairs]
    if not split or not suffix or any(len(pair) != 2 or not all(pair) for pair in split) or split[0][0] != "sub":
        return None
    return BidsFile(path, suffix, path.parent.name, {pair[0]: pair[1] for pair in split})


def list_files(root: Path) -> Iterator[BidsFile]:
    """List the volume files of sub-*/ and sub-*/ses-*/, sorted by path.

    Raises:
        DataError: If a file lies in the folder of another subject or session than its name says.
    """
    for pattern in ("sub-*/*/*", "sub-*/ses-*/*/*"):
        for path in sorted(root.glob(pattern)):
            if is_volume_file(path) and not path.is_dir() and (found := parse_name(path, volume_name(path))):
                _refuse_misplaced(root, found)
                yield found


def has_subjects(root: Path) -> bool:
    """Tell whether there are folders sub-*/."""
    return root.is_dir() and any(path.is_dir() for path in root.glob("sub-*"))


def _refuse_misplaced(root: Path, file: BidsFile) -> None:
    folders = file.path.relative_to(root).parts[:-1]
    said = [f"{key}-{file.entities[key]}" for key in ("sub", "ses") if key in file.entities]
    if list(folders[:-1]) != said:
        expected = f"the file in {'/'.join([*said, file.datatype])}/, as its name says"
        raise DataError(file.path, expected, "/".join(folders), "rename or move it: it may be another patient's")
