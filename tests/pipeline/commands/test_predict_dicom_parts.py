"""The predict command on series that are 4-D, spread over folders or not alone, and what its log says of patients."""

import copy
import json
import subprocess
import sys

import highdicom
import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom import Dataset, config

from pipeline.commands.predict import predict

LABELS = {"background": 0, "Anterior": 1, "hippocampus_right": 2}
NAME = "Meierhuber"


@pytest.fixture(scope="module")
def model(tmp_path_factory, make_model):
    return str(make_model(tmp_path_factory.mktemp("models") / "one", labels=LABELS, spacing_mm=[2.0, 2.0, 2.5]))


@pytest.fixture(scope="module")
def two_channels(tmp_path_factory, make_model):
    return str(make_model(tmp_path_factory.mktemp("models") / "two", channels=2, labels=LABELS))


@pytest.fixture
def echoes(tmp_path, make_dicom_series):
    """A series of two echoes, a file per slice, and the files of the second."""
    paths = [
        make_dicom_series(tmp_path / "mr", name=f"echo{echo}", seed=echo, SeriesInstanceUID="1.2.3", EchoNumbers=echo)
        for echo in (1, 2)
    ]
    return tmp_path / "mr", paths[1]


def item(**values):
    nested = Dataset()
    for keyword, value in values.items():
        setattr(nested, keyword, [value] if isinstance(value, Dataset) else value)
    return nested


@pytest.fixture
def enhanced(echoes):
    """The same as one file, the frames of both echoes in turns."""
    folder, _ = echoes
    images = [pydicom.dcmread(path) for path in sorted(folder.iterdir(), key=lambda path: path.stem[::-1])]
    file = copy.deepcopy(images[0])
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedCTImageStorage
    file.PixelData = b"".join(image.PixelData for image in images)
    file.NumberOfFrames = len(images)
    place = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "EchoNumbers")
    for keyword in (*place, "RescaleSlope", "RescaleIntercept"):
        del file[keyword]
    orientation = item(ImageOrientationPatient=images[0].ImageOrientationPatient)
    measures = item(PixelSpacing=images[0].PixelSpacing, SliceThickness=3, SpacingBetweenSlices=-5)
    values = item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")
    file.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=orientation,
            PixelMeasuresSequence=measures,
            PixelValueTransformationSequence=values,
        )
    ]
    file.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=item(ImagePositionPatient=image.ImagePositionPatient),
            FrameContentSequence=item(TemporalPositionIndex=int(image.EchoNumbers)),
        )
        for image in images
    ]
    path = folder.parent / "enhanced.dcm"
    file.save_as(path, enforce_file_format=True)
    return path


def case_of(folder):
    (case,) = json.loads((folder / "report.json").read_text(encoding="utf-8"))["cases"]
    return case


def referred(segmentation):
    """The frames of the source, or its images, that frames of the segmentation refer to."""
    items = [
        frame.DerivationImageSequence[0].SourceImageSequence[0]
        for frame in segmentation.PerFrameFunctionalGroupsSequence
    ]
    return {one.get("ReferencedFrameNumber", one.ReferencedSOPInstanceUID) for one in items}


def test_one_part_of_a_multi_echo_series_is_chosen_by_its_number(tmp_path, model, echoes):
    folder, second = echoes
    assert predict(model, folder, tmp_path / "none") == 1
    assert "choose one with --volume 0 to 1" in case_of(tmp_path / "none")["messages"][0]
    masks = []
    for volume in (0, 1):
        out = tmp_path / str(volume)
        assert predict(model, folder, out, volume=volume) == 0
        masks.append(np.asarray(nib.load(out / "mr.nii.gz").dataobj))
    segmentation = highdicom.seg.segread(tmp_path / "1" / "mr.dcm")
    assert referred(segmentation) <= {pydicom.dcmread(path).SOPInstanceUID for path in second}
    assert not np.array_equal(*masks)


def test_one_part_of_an_enhanced_4d_file_is_chosen_by_its_number(tmp_path, model, echoes, enhanced):
    assert predict(model, echoes[0], tmp_path / "plain", volume=1) == 0
    assert predict(model, enhanced, tmp_path / "out", volume=1) == 0
    expected = nib.load(tmp_path / "plain" / "mr.nii.gz")
    found = nib.load(tmp_path / "out" / "enhanced.nii.gz")
    np.testing.assert_array_equal(np.asarray(found.dataobj), np.asarray(expected.dataobj))
    plain = highdicom.seg.segread(tmp_path / "plain" / "mr.dcm").get_volume()
    segmentation = highdicom.seg.segread(tmp_path / "out" / "enhanced.dcm")
    np.testing.assert_array_equal(segmentation.get_volume().array, plain.array)
    assert referred(segmentation) <= {frame for frame in range(1, 19) if frame % 2 == 0}
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SpacingBetweenSlices == 3
    assert "slices -5 mm apart; the DICOM-SEG has 3 mm" in " ".join(case_of(tmp_path / "out")["messages"])


def test_the_parts_of_an_enhanced_4d_file_may_be_the_channels(tmp_path, two_channels, echoes, enhanced):
    assert predict(two_channels, echoes[0], tmp_path / "plain") == 0
    assert predict(two_channels, enhanced, tmp_path / "out") == 0
    expected = nib.load(tmp_path / "plain" / "mr.nii.gz")
    found = nib.load(tmp_path / "out" / "enhanced.nii.gz")
    np.testing.assert_array_equal(np.asarray(found.dataobj), np.asarray(expected.dataobj))
    segmentation = highdicom.seg.segread(tmp_path / "out" / "enhanced.dcm")
    plain = highdicom.seg.segread(tmp_path / "plain" / "mr.dcm").get_volume()
    np.testing.assert_array_equal(segmentation.get_volume().array, plain.array)
    assert referred(segmentation) <= {frame for frame in range(1, 19) if frame % 2 == 1}


def test_a_series_in_several_folders_is_predicted_as_one(tmp_path, model, make_dicom_series):
    paths = make_dicom_series(tmp_path / "in" / "st" / "SE0")
    (tmp_path / "in" / "st" / "SE1").mkdir()
    for path in paths[5:]:
        path.rename(tmp_path / "in" / "st" / "SE1" / path.name)
    make_dicom_series(tmp_path / "whole")
    assert predict(model, tmp_path / "in", tmp_path / "out") == 0
    assert predict(model, tmp_path / "whole", tmp_path / "out2") == 0
    one, other = (nib.load(tmp_path / name) for name in ("out/st.nii.gz", "out2/whole.nii.gz"))
    np.testing.assert_array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))


@pytest.mark.parametrize("changes", [{"PatientID": "p" * 96}, {"StudyInstanceUID": "1.2.x"}])
def test_a_patient_who_cannot_be_named_gets_nifti_alone(tmp_path, model, make_dicom_series, changes):
    make_dicom_series(tmp_path / "ct", **changes)
    assert predict(model, tmp_path / "ct", tmp_path / "out") == 1
    (message, *_) = case_of(tmp_path / "out")["messages"]
    assert "--format nifti" in message
    assert not set(changes.values()) & set(message.split())
    assert predict(model, tmp_path / "ct", tmp_path / "out", format=["nifti"]) == 0


def test_the_log_of_a_run_names_no_patient(tmp_path, model, make_dicom_series):
    with config.disable_value_validation():
        make_dicom_series(
            tmp_path / "ct",
            PatientName=NAME,
            PatientID=NAME,
            PatientBirthDate=NAME,
            PatientSex=NAME.lower(),
            PatientAge=NAME,
            StudyTime=NAME,
            StudyInstanceUID="1.2.03.4",
        )
    command = [sys.executable, "-m", "pipeline", "--debug", "predict", "--model", model]
    command += ["--input", str(tmp_path / "ct"), "--output", str(tmp_path / "out")]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    told = ended.stderr + ended.stdout + (tmp_path / "out" / "report.json").read_text(encoding="utf-8")
    assert NAME.lower() not in told.lower()
    assert "PatientBirthDate" in told  # that it was left out
    assert "Invalid value" not in told
    segmentation = pydicom.dcmread(tmp_path / "out" / "ct.dcm")
    assert (segmentation.PatientName, segmentation.PatientID) == (NAME, NAME)
    assert segmentation.StudyInstanceUID == "1.2.03.4"
