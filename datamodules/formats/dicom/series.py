"""The series of a folder: found in the headers, told apart by their UIDs, and one of them chosen."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.formats.dicom.images import Image, dicom_files, folders_below, image_of
from datamodules.formats.dicom.parts import Part, parts_of
from datamodules.formats.errors import DataError

logger = logging.getLogger(__name__)

_SHOWN = 10  # series or parts in a message
_KEPT_LISTINGS = 4  # folders; cases are read while earlier ones are written
_SETTLED_NS = 2_000_000_000  # a folder changed less than this before it was listed may change again within a tick


Entry = tuple["Series", list[Part]]


@dataclass(frozen=True)
class Series:
    """Describe one series of images.

    Args:
        uid: SeriesInstanceUID; "" where the files have none.
        folder: The folder that holds all its files.
        files: The files, sorted by name.
        modality: Such as "CT".
        description: SeriesDescription.
        number: SeriesNumber.
        patient: PatientID.
        study_uid: StudyInstanceUID.
        rows: Length of a column of its first file, in pixels.
        columns: Length of a row of its first file, in pixels.
        is_localiser: All its images are localisers.
        slices: Number of its frames.
        parts: What its volumes are, in the order in which --volume counts them, where there are several.
        problem: Why the series cannot be read whole: a file of its folder is damaged, or slices lie in one picture.
        frame_of_reference: FrameOfReferenceUID of its first file.
    """

    uid: str
    folder: Path
    files: tuple[Path, ...]
    modality: str
    description: str
    number: int | None
    patient: str
    study_uid: str
    rows: int
    columns: int
    is_localiser: bool
    slices: int = 0
    parts: tuple[str, ...] = ()
    problem: DataError | None = field(default=None, compare=False)
    frame_of_reference: str = ""

    def __str__(self) -> str:
        number = "without number" if self.number is None else f"number {self.number}"
        text = f'{number} "{self.description}" {self.modality} {self.columns} x {self.rows}, {self.slices} slices'
        return f"{text}, UID {self.uid or 'empty'}{', localiser' if self.is_localiser else ''}"


def find_series(path: Path) -> list[Series]:
    """List the series of images of a folder, at any depth, or of one file; no pixels are decoded.

    Hidden files and DICOMDIR are passed over; objects that are no images are left out with a line in the log.
    A file that cannot be parsed makes the series of its folder unreadable (`Series.problem`), as it may be one of
    their slices; where it lies alone it is a series of its own.

    Raises:
        DataError: Nothing there is a DICOM image.
    """
    return [series for series, _ in _listed(path).entries]


def choose_series(path: Path, wanted: str | None) -> tuple[Series, list[Part]]:
    """Return one series of a folder or file, and its parts.

    Args:
        path: A folder or a file.
        wanted: SeriesInstanceUID, or series number where one series alone has it; None where there is one series.
            One series beside localisers is taken without being named.

    Raises:
        DataError: There are several and none is named, or none has that name, or a file of it is damaged.
    """
    known = _kept.get(path)
    if known is not None and known.folders == _states(known.folders):
        series, parts = _choose(path, known.entries, wanted)
        if series.problem is None and known.holds(series):
            return series, parts
    series, parts = _choose(path, _listed(path).entries, wanted)
    if series.problem is not None:
        raise series.problem
    if sum(len(part.slices) for part in parts) < series.slices:
        logger.info("%s: passed over the localisers within series %s", path, series)
    if not series.uid:
        logger.info("%s: the series has no SeriesInstanceUID: its files are taken as one series", path)
    return series, parts


def _choose(path: Path, listed: list[Entry], wanted: str | None) -> Entry:
    """Return the one series of a listing that is wanted, or refuse and show the listing."""
    matches = [entry for entry in listed if wanted is None or wanted == entry[0].uid]
    if wanted is not None and not matches:
        matches = [entry for entry in listed if wanted.strip() == str(entry[0].number)]
    images = [entry for entry in matches if not entry[0].is_localiser]
    if len(matches) > 1 and len(images) == 1:
        passed = "; ".join(str(series) for series, _ in matches if series.is_localiser)
        logger.info("%s: passed over beside the series to read: %s", path, passed)
        matches = images
    if len(matches) != 1:
        found = listing([series for series, _ in listed])
        if len(matches) > 1 and {series.uid for series, _ in matches} == {matches[0][0].uid} != {""}:
            found += "; they have one UID, but another PatientID, study or folder"
        expected = "one series" if wanted is None else f"one series with the UID or number {wanted}"
        remedy = (
            "choose one with --series and its UID or unique number (in a CSV table by the column series), or name the "
            "folder that holds it alone"
        )
        raise DataError(path, expected, found, remedy)
    return matches[0]


def listing(things: Sequence[object]) -> str:
    """Return the number of things and the first of them, for messages."""
    more = f"; and {len(things) - _SHOWN} more" if len(things) > _SHOWN else ""
    return f"{len(things)}: " + "; ".join(map(str, things[:_SHOWN])) + more


@dataclass(frozen=True)
class _Listing:
    """Hold the series of a folder, and what shows later whether they are the same still."""

    entries: list[Entry]
    images: dict[Path, Image]
    folders: dict[Path, int]

    def holds(self, series: Series) -> bool:
        """Tell whether the files of a series are as they were."""
        try:
            return all(image_of(file) == self.images[file] for file in series.files)
        except DataError:
            return False


_kept: dict[Path, _Listing] = {}  # so that a folder of many series is not listed again for each of them


def _states(folders: Iterable[Path]) -> dict[Path, int]:
    """Return when folders were changed last, in ns; those that are gone are left out."""
    return {folder: folder.stat().st_mtime_ns for folder in folders if folder.is_dir()}


def _listed(path: Path) -> _Listing:
    """List a folder anew, and keep the listing for the next call where nothing changes while it is made."""
    begun = time.time_ns()
    folders = _states(folder for folder, _ in folders_below(path)) if path.is_dir() else {}
    images, damaged = _headers(path)
    groups: dict[tuple[str, ...], list[Image]] = {}
    for image in images:
        groups.setdefault(image.key, []).append(image)
    entries = [_series(members, damaged) for members in groups.values()]
    known = {image.path.parent for image in images}
    entries += [(_unreadable(file, error), []) for file, error in damaged.items() if file.parent not in known]
    made = _Listing(sorted(entries, key=lambda e: _order(e[0])), {image.path: image for image in images}, folders)
    _kept.pop(path, None)
    if folders and max(folders.values()) < begun - _SETTLED_NS:
        while len(_kept) >= _KEPT_LISTINGS:
            _kept.pop(next(iter(_kept)), None)
        _kept[path] = made
    return made


def _headers(path: Path) -> tuple[list[Image], dict[Path, DataError]]:
    """Read all headers; return the images, and the files that cannot be parsed."""
    images: list[Image] = []
    damaged: dict[Path, DataError] = {}
    left_out: Counter[str] = Counter()
    for file in dicom_files(path):
        try:
            image = image_of(file)
        except DataError as error:
            damaged[file] = error
            continue
        if isinstance(image, str):
            left_out[image] += 1
        else:
            images.append(image)
    for kind, count in left_out.items():
        logger.info("%s: left out %d files of %s: no images", path, count, kind)
    if not images and not damaged:
        found = ", ".join(f"{count} files of {kind}" for kind, count in left_out.items()) or "no DICOM file"
        raise DataError(path, "DICOM images", found, "name a folder that holds a series of images")
    return images, damaged


def _order(series: Series) -> tuple[str, str, int, str, str]:
    """Return what series are sorted by."""
    return series.patient, series.study_uid, series.number or 0, series.uid, str(series.files[0])


def _series(images: list[Image], damaged: dict[Path, DataError]) -> Entry:
    """Describe the files of one series, and its parts without the localisers among them."""
    first = images[0]
    pictures = [image for image in images if not image.is_localiser]
    parts = parts_of(one for image in pictures or images for one in image.slices)
    files = tuple(sorted(image.path for image in images))
    folders = {file.parent for file in files}
    return Series(
        uid=first.uid,
        folder=Path(os.path.commonpath(folders)),
        files=files,
        modality=first.modality,
        description=first.description,
        number=first.number,
        patient=first.patient,
        study_uid=first.study_uid,
        rows=first.slices[0].rows,
        columns=first.slices[0].columns,
        is_localiser=not pictures,
        slices=sum(len(image.slices) for image in images),
        parts=tuple(str(part) for part in parts) if len(parts) > 1 else (),
        problem=next((error for file, error in damaged.items() if file.parent in folders), _mosaic(images)),
        frame_of_reference=first.frame_of_reference,
    ), parts


def _mosaic(images: list[Image]) -> DataError | None:
    """Refuse slices that lie side by side in one picture, whose places stand in private elements alone."""
    found = next((image for image in images if image.is_mosaic), None)
    if found is None:
        return None
    remedy = "convert the series to NIfTI with dcm2niix, or export it as enhanced DICOM or without mosaic"
    return DataError(found.path, "one slice per image", "a mosaic of slices (Siemens)", remedy)


def _unreadable(file: Path, error: DataError) -> Series:
    """Stand for a damaged file without a series beside it, so that it is named among the failed ones."""
    return Series("", file.parent, (file,), "", "unreadable", None, "", "", 0, 0, False, problem=error)
