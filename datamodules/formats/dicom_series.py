"""The series of a folder: found in the headers, told apart by their UIDs, and one of them chosen."""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.formats.dicom_images import Image, dicom_files, image_of
from datamodules.formats.dicom_parts import Part, parts_of
from datamodules.formats.errors import DataError

logger = logging.getLogger(__name__)


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
        problem: Why the series cannot be read whole: a file of its folder is damaged.
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
    return [series for series, _ in _listed(path)]


def choose_series(path: Path, wanted: str | None) -> tuple[Series, list[Part]]:
    """Return one series of a folder or file, and its parts.

    Args:
        path: A folder or a file.
        wanted: SeriesInstanceUID, or series number where one series alone has it; None where there is one series.
            One series beside localisers is taken without being named.

    Raises:
        DataError: There are several and none is named, or none has that name, or a file of it is damaged.
    """
    listed = _listed(path)
    matches = [entry for entry in listed if wanted is None or wanted == entry[0].uid]
    if wanted is not None and not matches:
        matches = [entry for entry in listed if wanted.strip() == str(entry[0].number)]
    images = [entry for entry in matches if not entry[0].is_localiser]
    if len(matches) > 1 and len(images) == 1:
        passed = "; ".join(str(series) for series, _ in matches if series.is_localiser)
        logger.info("%s: passed over beside the series to read: %s", path, passed)
        matches = images
    if len(matches) != 1:
        found = f"{len(listed)}: " + "; ".join(str(series) for series, _ in listed)
        expected = "one series" if wanted is None else f"one series with the UID or number {wanted}"
        remedy = "choose one with --series and its UID or unique number, or name the folder that holds it alone"
        raise DataError(path, expected, found, remedy)
    series, parts = matches[0]
    if series.problem is not None:
        raise series.problem
    if sum(len(part.slices) for part in parts) < series.slices:
        logger.info("%s: passed over the localisers within series %s", path, series)
    if not series.uid:
        logger.info("%s: the series has no SeriesInstanceUID: its files are taken as one series", path)
    return series, parts


def _listed(path: Path) -> list[tuple[Series, list[Part]]]:
    """Read all headers and gather them to series, sorted by patient, study, number and UID."""
    groups: dict[tuple[str, ...], list[Image]] = {}
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
            groups.setdefault(image.key, []).append(image)
    for kind, count in left_out.items():
        logger.info("%s: left out %d files of %s: no images", path, count, kind)
    if not groups and not damaged:
        found = ", ".join(f"{count} files of {kind}" for kind, count in left_out.items()) or "no DICOM file"
        raise DataError(path, "DICOM images", found, "name a folder that holds a series of images")
    listed = [_series(images, damaged) for images in groups.values()]
    folders = {image.path.parent for images in groups.values() for image in images}
    listed += [(_unreadable(file, error), []) for file, error in damaged.items() if file.parent not in folders]
    return sorted(listed, key=lambda entry: _order(entry[0]))


def _order(series: Series) -> tuple[str, str, int, str, str]:
    """Return what series are sorted by."""
    return series.patient, series.study_uid, series.number or 0, series.uid, str(series.files[0])


def _series(images: list[Image], damaged: dict[Path, DataError]) -> tuple[Series, list[Part]]:
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
        problem=next((error for file, error in damaged.items() if file.parent in folders), None),
    ), parts


def _unreadable(file: Path, error: DataError) -> Series:
    """Stand for a damaged file without a series beside it, so that it is named among the failed ones."""
    return Series("", file.parent, (file,), "", "unreadable", None, "", "", 0, 0, False, problem=error)
