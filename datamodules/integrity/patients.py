"""Which patient a case belongs to, as far as files and names tell."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from datamodules.formats.dicom.privacy import keep_values_quiet

_SUBJECT = re.compile(r"(?:^|[_-])(sub-[A-Za-z0-9]+)")  # BIDS, "Entities"


def patient_of(path: Path) -> str:
    """Return a hash of the patient's ID in DICOM files; "" for other formats and where there is none.

    Args:
        path: An image file, or the folder of a series.
    """
    first = next((file for file in sorted(path.rglob("*")) if file.is_file()), None) if path.is_dir() else path
    if first is None or not _is_dicom(first):
        return ""
    import pydicom

    keep_values_quiet()
    header = pydicom.dcmread(first, stop_before_pixels=True, specific_tags=["PatientID"])
    return hash_patient(str(header.get("PatientID") or ""))


def hash_patient(identity: str) -> str:
    """Return what stands for a patient's ID in reports, "" for an empty one."""
    return hashlib.sha256(identity.encode()).hexdigest()[:16] if identity.strip() else ""


def subject_in(case_id: str) -> str:
    """Return the subject that a name in the style of BIDS holds, as `sub-01`; "" for other names."""
    match = _SUBJECT.search(case_id)
    return match.group(1) if match else ""


def _is_dicom(path: Path) -> bool:
    """Tell whether a file has DICOM's magic bytes (PS3.10, 7.1)."""
    with path.open("rb") as stream:
        stream.seek(128)
        return stream.read(4) == b"DICM"
