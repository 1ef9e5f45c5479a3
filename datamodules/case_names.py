"""Names of cases and channels as files bear them, and which of them cannot be told apart."""

import errno
import logging
import os
import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

from datamodules.formats import is_volume_file, volume_name
from datamodules.formats.errors import DataError

log = logging.getLogger(__name__)

_LONGEST_NAME = 240  # bytes of the 255 that a file system holds; an ending such as .seg.nrrd is added
_UNSAFE = re.compile("[/\\\\\0\ud800-\udfff]")  # the last are what Python makes of bytes that are no UTF-8
CHANNEL_SUFFIX = re.compile(r"(?P<name>.+)_(?P<channel>\d{4})", re.DOTALL)


def list_volumes(folder: Path) -> list[Path]:
    """List the volume files of a folder by name; hidden and other files are passed over with a log line.

    A broken symbolic link counts as a file, so that it fails by name later and is not lost.
    """
    entries = sorted(folder.iterdir())
    files = [path for path in entries if is_volume_file(path) and not path.is_dir()]
    listed = set(files)
    if ignored := [path.name for path in entries if path not in listed]:
        log.info("%s: passed over %d other entries: %s", folder, len(ignored), ", ".join(ignored[:10]))
    return files


def is_there(path: Path) -> bool:
    """Tell whether there is such a file or folder; a name that is too long for any is not there."""
    try:
        return path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def name_key(name: str) -> str:
    """Return what names have in common that a file system may hold for equal (case, composed accents)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def same_name(name: str) -> str:
    """Return one spelling of a name whose accents may be stored composed or decomposed."""
    return unicodedata.normalize("NFC", name)


def refuse_unsafe(source: Path, names: Iterable[tuple[str, str]]) -> None:
    """Refuse case names that cannot name files: results are called after them.

    Args:
        source: What an error shall name.
        names: Pairs of a case's name and where it stands.

    Raises:
        DataError: If a name is empty or too long, begins with a dot, holds a separator of folders (F31), or is no
            UTF-8.
    """
    unsafe = [
        f"{name[:60]!r} ({where.encode(errors='backslashreplace').decode()})"
        for name, where in names
        if not name or name[0] == "." or _UNSAFE.search(name) or len(os.fsencode(name)) > _LONGEST_NAME
    ]
    if unsafe:
        raise DataError(
            source,
            expected="names of cases without / and \\, with no dot in front, of at most "
            f"{_LONGEST_NAME} bytes of UTF-8",
            found="; ".join(unsafe[:5]),
            remedy="give the cases other names: the files of their results are called after them",
        )


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


def claim_channels(files: Iterable[Path], whole: Collection[Path] = ()) -> list[tuple[str, int, Path]]:
    """Return the case and the channel that each file's name claims.

    Four digits count as a channel only where `NAME_0000` is there too, so that `scan_2019` keeps its name.

    Args:
        files: Volumes of one folder.
        whole: Those whose digits are part of their name, so that each is a case of its own.
    """
    stems = {path: None if path in whole else CHANNEL_SUFFIX.fullmatch(volume_name(path)) for path in files}
    firsts = {match["name"] for match in stems.values() if match and int(match["channel"]) == 0}
    return [
        (match["name"], int(match["channel"]), path)
        if match and match["name"] in firsts
        else (volume_name(path), 0, path)
        for path, match in stems.items()
    ]


def group_channels(folder: Path, files: Iterable[Path], whole: Collection[Path] = ()) -> dict[str, dict[int, Path]]:
    """Group `NAME_0000`, `NAME_0001`, ... into cases; a file without that ending is a case of its own.

    Args:
        folder: What an error shall name.
        files: Its volume files.
        whole: Those whose digits are part of their name, as for `claim_channels`.

    Returns:
        By case id, the file of each channel number; channel 0 is always there.

    Raises:
        DataError: If two files claim the same case and channel, or ids are equal but for case (F31).
    """
    claims = claim_channels(files, whole)
    refuse_twins(folder, [(f"{name}_{channel:04d}", path.name) for name, channel, path in claims])
    groups: dict[str, dict[int, Path]] = {}
    for name, channel, path in claims:
        groups.setdefault(name, {})[channel] = path
    return groups
