"""In which formats the masks of a case are written."""

from collections.abc import Sequence
from typing import Literal

from datamodules.cases import Case
from datamodules.formats import format_of, suffix_of
from datamodules.formats.errors import DataError

Format = Literal["nifti", "dicom-seg", "nrrd"]
SEGMENTATION = ".dcm"
NIFTI = ".nii.gz"
_SUFFIXES: dict[Format, str] = {"nifti": NIFTI, "dicom-seg": SEGMENTATION, "nrrd": ".nrrd"}
# by the name of the input's format; the two-file variants of NRRD and MetaImage are written as one file
_OWN = {"nrrd": ".nrrd", "metaimage": ".mha", "image": ".png"}


def is_dicom(case: Case) -> bool:
    """Tell whether a case's first channel is a DICOM series."""
    return _kind(case) == "dicom"


def mask_suffixes(case: Case, overlapping: bool, formats: Sequence[Format] = ()) -> tuple[str, ...]:
    """Return the endings of a case's mask files, each once.

    Without a choice a case is written as it was read: NIfTI, NRRD and MetaImage as such, a DICOM series as DICOM-SEG
    and as NIfTI, an image as PNG. Stacks and folders of slices give NIfTI, which states their spacing, and so do
    overlapping structures of an image, as an image file holds one mask alone.

    Args:
        case: What was read.
        overlapping: Whether structures overlap.
        formats: The user's choice.

    Raises:
        DataError: A DICOM-SEG of what is no DICOM, or no format has the case.
    """
    kind = _kind(case)
    if "dicom-seg" in formats and kind != "dicom":
        remedy = "leave out --format, or give --format nifti"
        raise DataError(case.images[0], "a DICOM series, to which a DICOM-SEG can refer", f"{kind} input", remedy)
    nifti = suffix_of(case.images[0]).lower() if kind == "nifti" else NIFTI
    if formats:
        return tuple(dict.fromkeys(nifti if name == "nifti" else _SUFFIXES[name] for name in formats))
    if kind == "dicom":
        return (SEGMENTATION, NIFTI)
    return (nifti,) if kind == "image" and overlapping else (_OWN.get(kind, nifti),)


def _kind(case: Case) -> str:
    return format_of(case.images[0], case.image_options()).name.lower()
