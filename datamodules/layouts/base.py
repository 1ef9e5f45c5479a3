"""What every layout of a data set offers, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from datamodules.cases import Case
from datamodules.formats.base import ReadOptions
from datamodules.splits import Split

Declared = Mapping[str, int | list[int]]


@dataclass(frozen=True)
class Stated:
    """What the user says of a data set.

    Args:
        labels: `{name: value}`, in place of what the data set itself declares.
        spacing_mm: Spacing along X, Y, Z of stacks and folders of slices.
        fold: Which of the data set's own folds validates.
        complete: Whether an image without its label, and a case without all channels, is refused; if not, it is left
            out and listed.
    """

    labels: Declared | None = None
    spacing_mm: tuple[float, float, float] | None = None
    fold: int = 0
    complete: bool = True

    @property
    def options(self) -> ReadOptions:
        """How files of the data set are read."""
        return ReadOptions(spacing_mm=self.spacing_mm)


@dataclass(frozen=True)
class Found:
    """What a layout finds in a folder.

    Args:
        cases: Labelled cases; their groups are their ids unless `grouped`.
        channel_names: Names of the channels, where the layout knows them.
        labels: Values of the label files by name, where the layout knows them.
        structures: Names of the mask files of each case, in their order, where cases have masks.
        grouped: Whether the layout itself says which patient a case is of.
        split: Which cases train and which validate, where the layout says so.
        unlabelled: Images that have no label.
        unused: Labels that have no image.
        incomplete: What files there are of cases that lack a channel, by case.
        notes: What else was passed over, each as a sentence.
    """

    cases: Sequence[Case]
    channel_names: tuple[str, ...] = ()
    labels: Mapping[str, Any] | None = None
    structures: tuple[str, ...] = ()
    grouped: bool = False
    split: Split | None = None
    unlabelled: tuple[Path, ...] = ()
    unused: tuple[Path, ...] = ()
    incomplete: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Layout(Protocol):
    """One layout: a module of this package."""

    NAME: str
    EXAMPLE: str  # a tree of files, shown where nothing fits

    def claims(self, root: Path) -> bool:
        """Tell by names alone whether a folder or table is in this layout."""

    def cases(self, root: Path, stated: Stated) -> Found:
        """List what is there.

        Raises:
            DataError: If files are missing or cannot be told apart.
        """
