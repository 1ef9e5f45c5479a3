import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    # Tests run in several processes side by side; more threads than cores make all of them slower.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    named = os.environ.get("PIPELINE_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data: set PIPELINE_SHARED_DATA or lay it at ../shared/data")
    return folder


def _uid(*parts: object) -> str:
    return str(generate_uid(entropy_srcs=[str(part) for part in parts]))


def _slice(pixels, position, index, *, name, orientation, spacing, changes) -> pydicom.Dataset:
    """One image [row, column] of the CT series called `name`."""
    image = pydicom.Dataset()
    image.file_meta = pydicom.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, _uid(name, index)
    image.StudyInstanceUID, image.SeriesInstanceUID = _uid("study"), _uid(name)
    image.FrameOfReferenceUID = _uid("frame")
    image.Modality, image.SeriesNumber, image.InstanceNumber = "CT", 3, index + 1
    image.SeriesDescription, image.ImageType = name, ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.PatientName, image.PatientID, image.PatientSex = "Doe^Jane", "P1", "F"
    image.PatientBirthDate, image.StudyDate, image.StudyTime = "19700102", "20240102", "101112"
    image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "7", "A7", ""
    image.Rows, image.Columns = pixels.shape
    image.PixelSpacing, image.SliceThickness = [spacing[1], spacing[0]], spacing[2]
    image.ImagePositionPatient = [float(value) for value in np.round(position, 6)]
    image.ImageOrientationPatient = [float(value) for value in np.round(orientation, 6)]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, -1024, "HU"
    image.PixelData = np.ascontiguousarray(pixels.astype("<u2")).tobytes()
    image.update(changes)
    for keyword in [keyword for keyword, value in changes.items() if value is None]:
        delattr(image, keyword)
    return image


@pytest.fixture(scope="session")
def make_dicom_series():
    """Return a function that writes a CT series of random voxels and returns its paths in the order of the slices.

    The series is called after its folder; `changes` are elements of each image, None for those to leave out.
    """

    def make(
        folder,
        *,
        shape=(14, 12, 9),
        spacing=(1.5, 1.25, 3.0),
        orientation=(1, 0, 0, 0, 1, 0),
        origin=(-20.0, -30.0, 40.0),
        seed=0,
        backwards=False,
        name=None,
        stored=None,
        **changes,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        voxels = np.random.default_rng(seed).integers(0, 2000, shape) if stored is None else stored
        normal = np.cross(orientation[:3], orientation[3:])
        paths = []
        for index in range(voxels.shape[2]):
            position = np.array(origin) + index * spacing[2] * normal
            image = _slice(
                voxels[:, :, index].T,
                position,
                index,
                name=name or folder.name,
                orientation=orientation,
                spacing=spacing,
                changes=changes,
            )
            number = voxels.shape[2] - index if backwards else index
            paths.append(folder / f"{name or 'image'}_{number:03d}.dcm")
            image.save_as(paths[-1], enforce_file_format=True)
        return paths

    return make
