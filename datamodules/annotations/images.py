"""Where the images are that annotations speak of."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from datamodules.annotations.subjects import FolderRank
from datamodules.formats.errors import DataError

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
_LISTED = 5
_PROBE = 100  # images; a folder without the first so many is not searched for the others


def plain_path(written: str) -> str:
    """Return a path as it is written, by whichever system, with forward slashes and without `./`."""
    return posixpath.normpath(written.strip().replace("\\", "/"))


class FoundImages(NamedTuple):
    """Images that annotations name.

    Args:
        files: By name as it is written, the file.
        short: By name as it is written, the path within the images' folder.
        origin: In a sentence, where they lie.
    """

    files: Mapping[str, Path]
    short: Mapping[str, str]
    origin: str


def find_images(names: Sequence[str], ranks: Sequence[FolderRank], source: Path) -> FoundImages:
    """Find the folder that holds all images.

    Paths of another computer are shortened from the left, all by as many folders, until they fit.

    Args:
        names: Paths as `plain_path` returns them.
        ranks: Folders to look in, in order.
        source: The annotation file, for messages.

    Raises:
        DataError: If images are missing, several folders of equal right hold all of them, two names are one file, or a
            name with `..` leads to no file of the data set.
    """
    homes = [folder.resolve() for rank in ranks for folder in rank.folders]
    _refuse_outside(names, homes, source)
    best, best_found = ranks[0].folders[0], -1
    for drop in range(max(len(PurePosixPath(name).parts) for name in names)):
        for rank in ranks:
            complete: dict[Path, dict[str, Path]] = {}
            for folder in rank.folders:
                found = _in_folder(names, folder, drop, homes)
                if len(found) == len(names):
                    complete[folder] = found
                elif drop == 0 and len(found) > best_found:
                    best, best_found = folder, len(found)
            if complete:
                folder = _only(complete, source)
                files = complete[folder]
                return FoundImages(files, _short(files, folder), _told(files, folder, drop, source))
        if best_found > 0:
            break
    raise _missing(names, best, ranks, homes, source)


def _refuse_outside(names: Sequence[str], homes: Sequence[Path], source: Path) -> None:
    """Refuse names with `..` that lead to no file of the data set, wherever they are looked up."""
    upward = [name for name in names if ".." in PurePosixPath(name).parts]
    outside = [name for name in upward if not any(_in_folder([name], folder, 0, homes) for folder in homes)]
    if outside:
        raise DataError(
            source,
            expected="images within the data set",
            found=f"{len(outside)} names that `..` leads out of it, or to no file: {', '.join(outside[:_LISTED])}",
            remedy="name the images from the data set's folder on, or by their full paths",
        )


def _is_within(path: Path, homes: Sequence[Path]) -> bool:
    """Tell whether a path's folder lies in one of some, once its `..` are followed; the file may be a link."""
    folder = path.parent.resolve()
    return any(folder.is_relative_to(home) for home in homes)


def _in_folder(names: Sequence[str], folder: Path, drop: int, homes: Sequence[Path]) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for number, name in enumerate(names):
        if number == _PROBE and not found:
            return {}
        parts = PurePosixPath(name).parts
        path = _existing(folder, str(PurePosixPath(*parts[min(drop, len(parts) - 1) :])))
        if path is not None and (".." not in parts or _is_within(path, homes)):
            found[name] = path
    return found


def _existing(folder: Path, name: str) -> Path | None:
    """Return the path of a file that is there, be its accents stored as one sign or as two."""
    names = (name,) if name.isascii() else (name, *(unicodedata.normalize(form, name) for form in _FORMS))
    try:
        return next((folder / form for form in names if (folder / form).is_file()), None)
    except OSError:  # a name too long for the file system cannot be there
        return None


def _only(complete: Mapping[Path, Mapping[str, Path]], source: Path) -> Path:
    folders = list(complete)
    if len(folders) > 1:
        raise DataError(
            source,
            expected="the images in one folder",
            found=f"all of them in each of {', '.join(folder.name for folder in folders)}",
            remedy="rename the folder that counts to images/",
        )
    files: dict[Path, str] = {}
    for name, path in complete[folders[0]].items():
        if path in files:
            raise DataError(
                source,
                expected="an image of its own for every path",
                found=f"{files[path]} and {name}, of which only {path} is there",
                remedy="lay the images out in the folders that the annotations name",
            )
        files[path] = name
    return folders[0]


def _short(files: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Return paths within a folder; one that leads elsewhere stays as it is written."""
    within = {name: path.relative_to(folder) if path.is_relative_to(folder) else name for name, path in files.items()}
    return {name: unicodedata.normalize("NFC", PurePosixPath(path).as_posix()) for name, path in within.items()}


def _told(files: Mapping[str, Path], folder: Path, drop: int, source: Path) -> str:
    """Say where images lie; full paths may lead anywhere."""
    plain = [Path(posixpath.normpath(path.parent)) for path in files.values()]
    elsewhere = [parent for parent in plain if not parent.is_relative_to(posixpath.normpath(folder))]
    if elsewhere:
        where = os.path.commonpath(elsewhere)
        full = f"{len(elsewhere)} in {where}, outside of {folder}, by their paths in {source.name}"
        rest = len(files) - len(elsewhere)
        return f"images: {full}" + (f"; {rest} in {folder}" if rest else "")
    cut = f"; the first {drop} folder(s) of the paths in {source.name} are not there and left out" if drop else ""
    return f"images: in {folder}{cut}"


def _missing(
    names: Sequence[str], best: Path, ranks: Sequence[FolderRank], homes: Sequence[Path], source: Path
) -> DataError:
    there = _in_folder(names, best, 0, homes)
    missing = sorted(set(names) - set(there))
    looked = [str(folder) for rank in ranks for folder in rank.folders if folder.is_dir()]
    return DataError(
        source,
        expected=f"its {len(names)} images in one of {', '.join(looked[:_LISTED])}",
        found=f"{len(missing)} missing in {best}: {', '.join(missing[:_LISTED])}",
        remedy="add the images to images/ beside the annotations, or take their annotations out",
    )
