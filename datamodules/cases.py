"""A case: the files of one examination, how they are named, and its image."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.formats import is_volume_file, read_volume, strip_suffix
from datamodules.formats.errors import DataError
from datamodules.formats.volume import Volume, stack_channels
from datamodules.labels import LabelSet

log = logging.getLogger(__name__)

CHANNEL_SUFFIX = re.compile(r"(?P<name>.+)_(?P<channel>\d{4})", re.DOTALL)


@dataclass(frozen=True)
class Case:
    """One examination.

    Args:
        id: Name of the case, unique in its data set.
        group: The patient; cases of one group never part in a split.
        images: One file per channel, or one file that holds all channels.
        label: The label file, where there is one.
        volume_indices: For 4-D files, which volume of the file is the channel, one per image.
    """

    id: str
    group: str
    images: tuple[Path, ...]
    label: Path | None = None
    volume_indices: tuple[int, ...] | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the case, each once."""
        files = (*self.images, self.label) if self.label else self.images
        return tuple(dict.fromkeys(files))


@dataclass(frozen=True)
class CaseList:
    """The labelled cases of a data set, sorted by id."""

    root: Path
    layout: str
    channel_names: tuple[str, ...]
    labels: LabelSet
    cases: tuple[Case, ...]


def read_image(case: Case, channels: int | None = None) -> Volume:
    """Read the image of a case `[C, X, Y, Z]`.

    Args:
        case: What to read.
        channels: The number of channels that the reader needs, where it is known.

    Raises:
        DataError: If a file is absent or broken, channels differ in geometry, or their number is wrong.
    """
    for path in case.images:
        if not path.is_file():
            remedy = "add the missing channel, or mend the link"
            raise DataError(path, expected=f"a file of case {case.id}", found="none", remedy=remedy)
    indices: Sequence[int | None] = case.volume_indices or [None] * len(case.images)
    volumes = [read_volume(path, volume_index=i) for path, i in zip(case.images, indices, strict=True)]
    volume = volumes[0] if len(volumes) == 1 else stack_channels(volumes)
    if channels is not None and volume.array.shape[0] != channels:
        raise DataError(
            case.images[0],
            expected=f"{channels} channel(s)",
            found=f"{volume.array.shape[0]} in {len(case.images)} file(s)",
            remedy="give the same channels as in training, as NAME_0000, NAME_0001, ...",
        )
    return volume


def list_volumes(folder: Path) -> list[Path]:
    """List the volume files of a folder by name; hidden and other files are passed over with a log line.

    A broken symbolic link counts as a file, so that it fails by name later and is not lost.
    """
    entries = sorted(folder.iterdir())
    files = [path for path in entries if is_volume_file(path) and not path.is_dir()]
    if ignored := [path.name for path in entries if path not in set(files)]:
        log.info("%s: passed over %d other entries: %s", folder, len(ignored), ", ".join(ignored[:10]))
    return files


def name_key(name: str) -> str:
    """Return what names have in common that a file system may hold for equal (case, composed accents)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def same_name(name: str) -> str:
    """Return one spelling of a name whose accents may be stored composed or decomposed."""
    return unicodedata.normalize("NFC", name)


def refuse_twins(folder: Path, names: Iterable[tuple[str, str]]) -> None:
    """Refuse case names that differ by upper and lower case or the encoding of accents alone.

    Args:
        folder: What an error shall name.
        names: Pairs of a case's name and the file that bears it.

    Raises:
        DataError: If there are such names, as their results would overwrite each other on some file systems.
    """
    seen: dict[str, str] = {}
    twins: list[str] = []
    for name, shown in names:
        key = name_key(name)
        if key in seen:
            twins.append(f"{seen[key]} and {shown}")
        seen[key] = shown
    if twins:
        raise DataError(
            folder,
            expected="names that differ by more than upper and lower case, accents' encoding or file ending",
            found="; ".join(twins[:5]),
            remedy="rename or remove one of each",
        )


def group_channels(folder: Path, files: Sequence[Path]) -> dict[str, dict[int, Path]]:
    """Group `NAME_0000`, `NAME_0001`, ... into cases; a file without that ending is a case of its own.

    Four digits count as a channel only where `NAME_0000` is there too, so that `scan_2019` keeps its name.

    Returns:
        By case id, the file of each channel number; channel 0 is always there.

    Raises:
        DataError: If two files claim the same case and channel, or ids are equal but for case (F31).
    """
    stems = {path: CHANNEL_SUFFIX.fullmatch(strip_suffix(path)) for path in files}
    firsts = {match["name"] for match in stems.values() if match and int(match["channel"]) == 0}
    claims: list[tuple[str, int, Path]] = []
    for path, match in stems.items():
        if match and match["name"] in firsts:
            claims.append((match["name"], int(match["channel"]), path))
        else:
            claims.append((strip_suffix(path), 0, path))
    refuse_twins(folder, [(f"{name}_{channel:04d}", path.name) for name, channel, path in claims])
    groups: dict[str, dict[int, Path]] = {}
    for name, channel, path in claims:
        groups.setdefault(name, {})[channel] = path
    return groups
