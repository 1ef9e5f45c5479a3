import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from datamodules.integrity.facts import CaseFacts, ChannelFacts, StructureFacts

SHAPE = (12, 10, 8)


def _write_volume(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([2.0, 2.0, 3.0, 1.0]) if affine is None else affine), path)
    return path


@pytest.fixture(scope="session")
def write_volume() -> Callable[..., Path]:
    """Write an array [X, Y, Z] with a spacing of 2 x 2 x 3 mm, unless an affine is given."""
    return _write_volume


@pytest.fixture(scope="session")
def write_dataset() -> Callable[..., Path]:
    """Write a data set in the nnU-Net raw layout, with a box labelled 1 and one labelled 2 in every case."""

    def write(root: Path, names: list[str], channels: int = 1) -> Path:
        for number, name in enumerate(names):
            rng = np.random.default_rng(number)
            label = np.zeros(SHAPE, np.uint8)
            label[2:6, 2:8, 2:6], label[7:10, 2:8, 2:6] = 1, 2
            for channel in range(channels):
                image = (rng.normal(size=SHAPE) * 10 + 100 * label).astype(np.int16)
                _write_volume(root / "imagesTr" / f"{name}_{channel:04d}.nii.gz", image)
            _write_volume(root / "labelsTr" / f"{name}.nii.gz", label)
        description = {
            "channel_names": {str(channel): f"C{channel}" for channel in range(channels)},
            "labels": {"background": 0, "left": 1, "right": 2},
            "numTraining": len(names),
            "file_ending": ".nii.gz",
        }
        (root / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
        return root

    return write


def _dicom_slice(values: np.ndarray, uids: tuple[str, str], patient: str, number: int) -> pydicom.Dataset:
    header = pydicom.Dataset()
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, generate_uid()
    header.StudyInstanceUID, header.SeriesInstanceUID = uids
    header.PatientID, header.Modality, header.InstanceNumber, header.SeriesNumber = patient, "CT", number, 1
    header.Rows, header.Columns = values.shape
    header.PixelSpacing, header.ImageOrientationPatient = [0.5, 0.5], [1, 0, 0, 0, 1, 0]
    header.ImagePositionPatient = [0, 0, 3 * number]
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 1
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.RescaleSlope, header.RescaleIntercept = 15, 1, -1024
    header.PixelData = values.astype("<i2").tobytes()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return header


@pytest.fixture(scope="session")
def write_series() -> Callable[..., Path]:
    """Write a CT series of four slices of 6 rows and 5 columns, 0.5 x 0.5 x 3 mm, of a patient."""

    def write(folder: Path, patient: str, seed: int = 0, number: int = 1) -> Path:
        folder.mkdir(parents=True)
        uids = (generate_uid(), generate_uid())
        voxels = np.random.default_rng(seed).integers(0, 2000, (4, 6, 5))
        for index, values in enumerate(voxels):
            header = _dicom_slice(values, uids, patient, index)
            header.SeriesNumber = number
            pydicom.dcmwrite(folder / f"{index}.dcm", header, enforce_file_format=True)
        return folder

    return write


def _make_facts(case_id: str = "case", counts: dict[str, int] | None = None, **changes: object) -> CaseFacts:
    box = ((0, 1), (0, 1), (0, 1))
    channels = len(changes.get("limits", "1"))
    facts = {
        "case_id": case_id,
        "content": f"content of {case_id}",
        "voxels": f"voxels of {case_id}",
        "label_voxels": f"label of {case_id}",
        "shape": (40, 40, 20),
        "spacing_mm": (1.0, 1.0, 2.0),
        "orientation": "RAS",
        "affine": np.diag([1.0, 1.0, 2.0, 1.0]),
        "dtype": "int16",
        "limits": ((-1000.0, 1000.0),),
        "samples": np.zeros((channels, 0), np.float32),
        "channels": (ChannelFacts(-1024.0, 1500.0, -300.0, 400.0, 0, np.zeros(64, np.int64)),) * channels,
        "structures": {
            name: StructureFacts(count, int(count > 0), count, 0, box if count else None)
            for name, count in ({"left": 60, "right": 70} if counts is None else counts).items()
        },
        "adjacency": (),
        "nonzero_shape": (40, 40, 20),
        "air_shape": (36, 36, 20),
        "thumbnail": np.zeros((8, 8), np.uint8),
        "thumbnail_labels": np.zeros((8, 8), np.uint8),
        "file_bytes": 1000,
    }
    return CaseFacts(**(facts | changes))


@pytest.fixture(scope="session")
def make_facts() -> Callable[..., CaseFacts]:
    """Make the facts of a sound case, with voxel counts by structure and any other field as given."""
    return _make_facts
