"""The files of a folder that are DICOM images, and what listing needs of each header."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datamodules.formats.dicom.frames import MALFORMED, Slice, integer, slices_of
from datamodules.formats.dicom.headers import has_suffix, looks_like_dicom, naming, read_header
from datamodules.formats.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

# objects that hold no image of a patient, or one that is made from another: by Modality
_NO_IMAGES = {
    "ANN": "annotations",
    "AU": "audio",
    "DOC": "an encapsulated document",
    "ECG": "waveforms",
    "FID": "fiducials",
    "HD": "waveforms",
    "KO": "key object selection",
    "PLAN": "a plan",
    "PR": "presentation state",
    "REG": "a registration",
    "RTDOSE": "a dose",
    "RTIMAGE": "a portal image",
    "RTPLAN": "a plan",
    "RTRECORD": "a treatment record",
    "RTSTRUCT": "contours",
    "RWV": "real world value mapping",
    "SEG": "a segmentation",
    "SMR": "stereometric relation",
    "SR": "a structured report",
}
_NO_IMAGE_CLASSES = {
    "1.2.840.10008.1.3.10": "a DICOMDIR",
    "1.2.840.10008.5.1.4.1.1.66": "raw data",
    "1.2.840.10008.5.1.4.1.1.66.1": "a registration",
    "1.2.840.10008.5.1.4.1.1.66.3": "a registration",
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation",
    "1.2.840.10008.5.1.4.1.1.104.1": "an encapsulated document",
    "1.2.840.10008.5.1.4.1.1.481.2": "a dose",
    "1.2.840.10008.5.1.4.1.1.481.3": "contours",
    "1.2.840.10008.5.1.4.1.1.481.5": "a plan",
}
# classes that hold pictures: what has one of them and no Rows is damaged, and not another kind of object
_IMAGE_CLASSES = "1.2.840.10008.5.1.4.1.1."
_PICTURES = (
    *("1", "1.1", "1.1.1", "1.2", "1.2.1", "2", "2.1", "2.2", "3.1", "4", "4.1", "4.3", "4.4", "6.1", "6.2"),
    *("7", "7.1", "7.2", "7.3", "7.4", "12.1", "12.1.1", "12.2", "12.2.1", "13.1.1", "13.1.2", "13.1.3", "13.1.4"),
    *("13.1.5", "20", "128", "128.1", "130"),
)
_CACHED_HEADERS = 20000  # about 1 KB each; reading one series after the other parses a folder once
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True)
class Image:
    """Hold what listing needs of one file."""

    path: Path
    uid: str
    study_uid: str
    patient: str
    modality: str
    description: str
    number: int | None
    is_localiser: bool
    is_mosaic: bool
    frame_of_reference: str
    slices: tuple[Slice, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Return what the files of a series have in common; the patient, as UIDs of careless exports are not unique."""
        # anonymised files may have no UIDs: the folder and what describes the series stand in for them
        stand_in = () if self.uid else (str(self.path.parent), self.modality, str(self.number), self.description)
        return (self.patient, self.study_uid, self.uid, *stand_in)


def folders_below(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder and those below it, each once, with the sorted names in it that are no folders; no hidden ones."""
    seen = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        real = Path(folder).resolve()
        if real in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(folder), sorted(names)


def dicom_files(path: Path) -> Iterator[Path]:
    """Yield the files of a folder, at any depth, that mean to be DICOM; of a file, itself."""
    if not path.is_dir():
        yield path
        return
    for folder, names in folders_below(path):
        for name in names:
            file = folder / name
            # a pipe or a device would be waited for; a slice behind a broken link must not be lost in silence
            readable = file.is_file() or (has_suffix(file) and not file.exists())
            wanted = not name.startswith(".") and name.upper() != "DICOMDIR" and readable
            if wanted and looks_like_dicom(file):
                yield file


def image_of(path: Path) -> Image | str:
    """Parse the header of one file, or take it from an earlier call if the file has not changed.

    Returns:
        The image, or what the data set is where it is no image.

    Raises:
        DataError: It cannot be parsed, or says what cannot be.
    """
    with naming(path):
        state = path.stat()
    return _parsed(path, (state.st_ino, state.st_size, state.st_mtime_ns))


@functools.lru_cache(maxsize=_CACHED_HEADERS)
def _parsed(path: Path, _state: tuple[int, ...]) -> Image | str:
    """Parse one file; its place on disk, size and time tell a changed file from a known one."""
    header = read_header(path)
    with naming(path):
        kind = _no_image(header)
        if kind is not None:
            return kind
        if not integer(path, header, "Rows", default=0) or not integer(path, header, "Columns", default=0):
            raise DataError(path, "an image with Rows and Columns", "none", MALFORMED)
        number = header.get("SeriesNumber")
        return Image(
            path=path,
            uid=str(header.get("SeriesInstanceUID") or ""),
            study_uid=str(header.get("StudyInstanceUID") or ""),
            patient=str(header.get("PatientID") or ""),
            modality=str(header.get("Modality") or ""),
            description=str(header.get("SeriesDescription") or ""),
            number=None if number is None or number == "" else int(number),
            is_localiser="LOCALIZER" in (header.get("ImageType") or ()),
            is_mosaic="MOSAIC" in (header.get("ImageType") or ()),
            frame_of_reference=str(header.get("FrameOfReferenceUID") or ""),
            slices=slices_of(path, header),
        )


def _no_image(header: Dataset) -> str | None:
    """Return what a data set is where it is no grey image of a patient, by its modality, class and samples."""
    modality = str(header.get("Modality") or "")
    # some anonymised files have an empty class in the data set and keep it in the file meta information
    uid = str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    kind = _NO_IMAGES.get(modality) or _NO_IMAGE_CLASSES.get(uid)
    if kind:
        return f"{modality or uid} ({kind})"
    picture = not uid or (uid.startswith(_IMAGE_CLASSES) and uid.removeprefix(_IMAGE_CLASSES) in _PICTURES)
    if not picture and not header.get("Rows") and not header.get("Columns"):
        return f"{modality or uid} (objects without Rows and Columns)"
    if header.get("SamplesPerPixel", 1) == 3:
        return f"{modality} (colour images)"
    # a dose report or a screen, kept beside the series of a study
    if uid.startswith(_SECONDARY_CAPTURE) and "ImagePositionPatient" not in header:
        return f"{modality} (screen captures)"
    return None
