"""Folders that are volumes themselves: DICOM series and slices, in a folder and below it."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from datamodules.formats import ReadOptions, dicom, image, stack
from datamodules.formats.dicom.images import dicom_files, folders_below
from datamodules.formats.dicom.series import Series, listing
from datamodules.formats.errors import DataError

log = logging.getLogger(__name__)

ALL_SERIES = "all"
_NAME_BYTES = 200  # of the 255 that a file system holds; endings and temporary names are added


@dataclass(frozen=True)
class FolderVolume:
    """A folder that is one volume, or would be if one of its series were chosen.

    Args:
        name: The path below the input, its parts joined by underscores.
        path: The folder, or a DICOM file.
        series: Which DICOM series of it.
        place: StudyInstanceUID and FrameOfReferenceUID of a DICOM series, empty where it is not chosen; None for
            slices.
    """

    name: str
    path: Path
    series: str | None = None
    place: tuple[str, str] | None = None


def dicom_volumes(root: Path, wanted: str | None) -> list[FolderVolume]:
    """List the DICOM series of a folder, at any depth, or of a file; none where nothing is DICOM.

    Without a choice a folder of several series is listed once, without a series: reading it refuses and lists
    them (F11). Localisers beside one other series are passed over.

    Args:
        root: A folder or a file.
        wanted: SeriesInstanceUID or number of the series to take; "all" takes each series as a volume of its own.

    Raises:
        DataError: No series has the UID or number, or the DICOM files there hold no image.
    """
    if next(dicom_files(root), None) is None:
        return []
    listed = dicom.find_series(root)
    folders: dict[Path, list[Series]] = {}
    for series in listed:
        folders.setdefault(series.folder, []).append(series)
    volumes = [volume for folder, inside in folders.items() for volume in _of_folder(root, folder, inside, wanted)]
    if not volumes:
        found = listing(listed)
        raise DataError(root, f"a series with the UID or number {wanted}", found, "choose one of these with --series")
    return volumes


def slice_volumes(root: Path, spacing_mm: tuple[float, float, float] | None) -> list[FolderVolume]:
    """List the folders of slices with stated spacing: the folder itself and those below it.

    Args:
        root: A folder.
        spacing_mm: Spacing along X, Y, Z for all that state none themselves.
    """
    options = ReadOptions(spacing_mm=spacing_mm)
    folders = (folder for folder, _ in folders_below(root))
    return [FolderVolume(_name(root, folder), folder) for folder in folders if _is_slices(folder, options)]


def _of_folder(root: Path, folder: Path, listed: Sequence[Series], wanted: str | None) -> Iterator[FolderVolume]:
    """Yield the volumes that the series of one folder give."""
    path, name = (root, _shortened(_stem(root))) if root.is_file() else (folder, _name(root, folder))
    pictures = [series for series in listed if not series.is_localiser] or list(listed)
    if wanted == ALL_SERIES:
        named = (name if len(pictures) == 1 else f"{name}_{_tag(series, pictures)}" for series in pictures)
        volumes = [FolderVolume(own, path, _key(one), _place(one)) for own, one in zip(named, pictures, strict=True)]
        # two patients' series of one UID are one case, which reading refuses
        yield from {(volume.name, volume.series): volume for volume in volumes}.values()
        return
    if wanted is not None:
        pictures = [s for s in listed if s.uid == wanted] or [s for s in listed if str(s.number) == wanted.strip()]
        if not pictures:
            log.info("%s: passed over, as none of its series has the UID or number %s", folder, wanted)
            return
    if len(pictures) == 1:
        yield FolderVolume(name, path, _key(pictures[0]), _place(pictures[0]))
    else:
        yield FolderVolume(name, path, wanted, ("", ""))


def _place(series: Series) -> tuple[str, str]:
    """Return what series have in common whose places in the patient can be compared."""
    return series.study_uid, series.frame_of_reference


def _key(series: Series) -> str | None:
    """Return what chooses a series among those of its folder."""
    return series.uid or (None if series.number is None else str(series.number))


def _tag(series: Series, others: Sequence[Series]) -> str:
    """Return what tells the names of series of one folder apart: the number where it does, else the UID."""
    same = [other for other in others if other.number == series.number]
    return f"series{series.number}" if len(same) == 1 and series.number is not None else series.uid or "series"


def _is_slices(folder: Path, options: ReadOptions) -> bool:
    """Tell whether a folder's images are slices; a TIFF of several pages is a volume of its own."""
    if not stack.claims(folder, options) or dicom.claims(folder, options):  # previews of a series are no slices
        return False
    first = next((path for path in sorted(folder.iterdir()) if path.suffix.lower() in image.suffixes), None)
    return first is None or first.suffix.lower() not in stack.suffixes or cv2.imcount(str(first)) <= 1


def _stem(file: Path) -> str:
    """Return the name of a DICOM file, without its ending where that is a known one."""
    return file.stem if file.suffix.lower() in dicom.suffixes else file.name


def _name(root: Path, folder: Path) -> str:
    """Return a name for a folder within the input."""
    return _shortened("_".join(folder.relative_to(root).parts) or root.resolve().name)


def _shortened(name: str) -> str:
    """Return a name that is not too long for the files that are called after it."""
    if len(name.encode()) <= _NAME_BYTES:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: _NAME_BYTES - 9].decode(errors='ignore')}_{mark}"
