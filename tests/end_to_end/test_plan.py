"""`pipeline plan` and then `pipeline train` with what it wrote, without an edit."""

import json
import time

import nibabel as nib
import numpy as np
import pydicom
import pytest
import yaml
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from pipeline.cli import main

BUDGET = ["--device", "cpu", "--memory", "4GiB", "--time", "10s", "--workers", "0"]


@pytest.fixture
def plan(work, cache):
    """Run `pipeline plan` for a very short training, and return the config's path."""

    def run(data, *arguments, name="my.yaml"):
        given = ["--output", str(work / name), "--cache-dir", str(cache), *BUDGET]
        assert main(["plan", str(data), *given, *arguments]) == 0
        return work / name

    return run


def write_series(folder, patient, number):
    """Write a CT of 8 slices of 24 x 20 pixels, with a dense ball in it, and its mask as NIfTI."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(number)
    grid = np.stack(np.meshgrid(*map(np.arange, (24, 20, 8)), indexing="ij"), axis=-1)
    ball = np.linalg.norm((grid - (10 + number, 10, 4)) * (1, 1, 2), axis=-1) < 5
    voxels = np.where(ball, 200, -900) + rng.normal(0, 10, ball.shape)
    study, series = generate_uid(), generate_uid()
    for index in range(8):
        header = pydicom.Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = CTImageStorage
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
        header.StudyInstanceUID, header.SeriesInstanceUID, header.PatientID = study, series, patient
        header.Modality, header.SeriesNumber, header.InstanceNumber = "CT", 1, index + 1
        header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        header.Rows, header.Columns, header.PixelSpacing, header.SliceThickness = 20, 24, [1.5, 1.5], 3
        header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, 3 * index], [1, 0, 0, 0, 1, 0]
        header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 1
        header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
        header.RescaleSlope, header.RescaleIntercept = 1, 0
        header.PixelData = voxels[:, :, index].T.astype(np.int16).tobytes()
        header.save_as(folder / f"{index}.dcm", enforce_file_format=True)
    affine = np.diag([-1.5, -1.5, 3.0, 1.0])  # DICOM's left and back are positive, NIfTI's right and front
    nib.save(nib.Nifti1Image(ball.astype(np.uint8), affine), folder.parent / f"{folder.name}.nii.gz")


def test_images_without_names_of_labels_are_planned_for_and_trained_on(plan, train, slices):
    config = plan(slices)
    assert yaml.safe_load(config.read_text())["data"]["init_args"]["labels"] == {"background": 0, "foreground": 255}
    model = json.loads((train(str(config), steps=1) / "model" / "model.json").read_text())
    assert model["network"]["init_args"]["spatial_dims"] == 2


def test_keypoints_are_planned_for_and_trained_on(plan, train, figures):
    config = plan(figures)
    chosen = yaml.safe_load(config.read_text())["data"]["init_args"]
    model = json.loads((train(str(config), steps=1) / "model" / "model.json").read_text())
    assert model["patch_size"] == chosen["input_size"][::-1]


def test_dicom_series_with_labels_by_a_table_are_planned_for_and_trained_on(plan, train, work):
    for number in range(4):
        write_series(work / "scans" / f"s{number}", f"patient {number}", number)
    rows = [f"scans/s{number},scans/s{number}.nii.gz,patient {number}" for number in range(4)]
    (work / "cases.csv").write_text("\n".join(["image,label,group", *rows]) + "\n")
    config = plan(work / "cases.csv", "--labels", "{ball: 1}")
    chosen = yaml.safe_load(config.read_text())["data"]["init_args"]
    assert chosen["preprocessing"]["intensity"] == "ct"
    assert chosen["split"]["folds"] == 4
    model = json.loads((train(str(config), steps=1) / "model" / "model.json").read_text())
    assert [structure["name"] for structure in model["labels"]["structures"]] == ["background", "ball"]


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["head_neck_ct", "em_membranes", "open_field_mouse", "mirror_mouse", "sports_pose"])
def test_every_real_set_is_planned_for(name, plan, shared_data):
    config = yaml.safe_load(plan(shared_data / name).read_text())
    data = config["data"]["init_args"]
    assert data["root"] == str(shared_data / name)
    assert min(data["patch_size"] if "patch_size" in data else data["input_size"]) >= 8
    assert config["trainer"]["max_epochs"] == -1


@pytest.mark.shared_data
def test_a_hippocampus_is_planned_for_as_a_reader_of_nnunet_would_and_trained_on(plan, train, shared_data):
    begun = time.monotonic()
    # for 5 minutes: a longer time only gives wider networks
    path = plan(shared_data / "hippocampus_mr", "--time", "5m")
    assert time.monotonic() - begun < 120
    config = yaml.safe_load(path.read_text())
    data, network = config["data"]["init_args"], config["model"]["init_args"]["network"]["init_args"]
    assert data["patch_size"] == [40, 56, 40]
    assert data["preprocessing"] == {"spacing_mm": [1.0, 1.0, 1.0], "intensity": "zscore", "crop": "none"}
    assert len(network["channels"]) == 4
    assert network["channels"][0] in (8, 12, 16, 24, 32)
    assert network["strides"] == [1, 2, 2, 2]
    assert 2 <= data["batch_size"] <= 9
    run = train(str(path), "--data.split.folds", "94", steps=1)  # so that two cases validate
    model = json.loads((run / "model" / "model.json").read_text())
    assert model["patch_size"] == [40, 56, 40]
    assert np.isfinite(model["metrics"]["dice"])
