"""DICOM-SEG: the same voxels in the same places, as highdicom reads them."""

import dataclasses
import warnings

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom import config

from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom import read, source_slices
from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet
from pipeline.inference.dicom_seg import NOTHING_FOUND, Origin, write_segmentation

LABELS = LabelSet.from_json({"background": 0, "liver": 1, "LeftParotid": 2, "mémbrane\\ 膜": 3})
OVERLAPPING = LabelSet.from_json({"whole tumor": [1, 2], "core": [2], "never": [3]})
ORIGIN = Origin("a" * 64, "c" * 64, "f" * 64)
OPTIONS = ReadOptions()
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)


def masks_of(shape, *values):
    """Class indices [X, Y, Z] with a box of each value, some planes empty."""
    indices = np.zeros(shape, np.uint8)
    for place, value in enumerate(values):
        indices[1 + 3 * place : 3 + 3 * place, 2:7, 1 + place : 4 + place] = value
    return indices


def in_mm(mask, affine):
    """Where the voxels of a mask lie, RAS+ mm, in a fixed order."""
    indices = np.argwhere(mask)
    points = np.c_[indices, np.ones(len(indices))] @ affine.T
    return points[np.lexsort(np.round(points, 2).T)][:, :3]


def segment_in_mm(segmentation, number):
    volume = segmentation.get_volume(segment_numbers=[number])
    return in_mm(volume.array[..., 0], np.diag([-1, -1, 1, 1]) @ volume.affine)


def written(path, source, indices, labels=LABELS, origin=ORIGIN):
    messages = write_segmentation(path, indices, labels, source_slices(source, OPTIONS), origin, 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom warns of values that DICOM does not allow
        segmentation = highdicom.seg.segread(path)
        segmentation.save_as(path.with_suffix(".again"), enforce_file_format=True)
    return segmentation, messages


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (-1, 0, 0, 0, 1, 0), OBLIQUE])
def test_voxels_lie_where_those_of_the_image_lie(tmp_path, make_dicom_series, orientation, backwards):
    source = tmp_path / "ct"
    make_dicom_series(source, orientation=orientation, backwards=backwards)
    image = read(source, OPTIONS)
    indices = masks_of(image.shape, 1, 2, 3)
    segmentation, messages = written(tmp_path / "a.dcm", source, indices)
    assert messages == []
    assert segmentation.number_of_segments == 3
    for number in (1, 2, 3):
        expected = in_mm(indices == number, image.affine)
        np.testing.assert_allclose(segment_in_mm(segmentation, number), expected, atol=1e-3)


def test_frames_refer_to_the_images_they_lie_on(tmp_path, make_dicom_series):
    paths = make_dicom_series(tmp_path / "ct", backwards=True)
    indices = masks_of(read(tmp_path / "ct", OPTIONS).shape, 1, 3)
    segmentation, _ = written(tmp_path / "a.dcm", tmp_path / "ct", indices)
    images = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, paths)}
    first = next(iter(images.values()))
    assert (segmentation.StudyInstanceUID, segmentation.PatientID) == (first.StudyInstanceUID, first.PatientID)
    assert segmentation.FrameOfReferenceUID == first.FrameOfReferenceUID
    (series,) = segmentation.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} == set(images)
    planes = {1: [1, 2, 3], 2: [2, 3, 4]}  # no frame is empty
    assert segmentation.NumberOfFrames == 6
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        image = images[frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert frame.PlanePositionSequence[0].ImagePositionPatient == image.ImagePositionPatient
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        assert image.InstanceNumber - 1 in planes[number]


def test_segments_say_what_they_are_and_who_made_them(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct")
    segmentation, _ = written(tmp_path / "a.dcm", tmp_path / "ct", masks_of((14, 12, 9), 1, 2, 3))
    assert segmentation.segmentation_type == highdicom.seg.SegmentationTypeValues.BINARY
    assert segmentation.SeriesDescription == "Segmentation of ct"
    assert segmentation.SeriesNumber == 1003
    liver, parotid, membrane = (segmentation.get_segment_description(number) for number in (1, 2, 3))
    assert liver.segmented_property_type.value == "10200004"
    assert parotid.segmented_property_type.value == "45289007"
    (side,) = parotid.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence
    assert side.CodeMeaning == "Left"
    assert membrane.segment_label == "mémbrane/ 膜"
    assert membrane.segmented_property_type.scheme_designator == "99SEGPOSE"
    assert segmentation.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99SEGPOSE"
    for segment in (liver, parotid, membrane):
        assert segment.algorithm_type == highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC
        identification = segment.algorithm_identification
        assert identification.name == "segpose-pipeline"
        assert identification.parameters == {"model_sha256": "a" * 64}
    assert len({tuple(item.RecommendedDisplayCIELabValue) for item in segmentation.SegmentSequence}) == 3


def test_a_lesion_says_which_organ_of_which_side_it_lies_in(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct")
    labels = LabelSet.from_json({"background": 0, "left kidney cyst": 1})
    segmentation, _ = written(tmp_path / "a.dcm", tmp_path / "ct", masks_of((14, 12, 9), 1), labels)
    (region,) = segmentation.SegmentSequence[0].AnatomicRegionSequence
    assert (region.CodeMeaning, region.AnatomicRegionModifierSequence[0].CodeMeaning) == ("Kidney", "Left")


def test_empty_structures_have_no_segment(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct")
    indices = masks_of((14, 12, 9), 3)
    segmentation, _ = written(tmp_path / "a.dcm", tmp_path / "ct", indices)
    assert list(segmentation.segment_numbers) == [1]
    assert segmentation.get_segment_description(1).segment_label == "mémbrane/ 膜"
    assert len(segment_in_mm(segmentation, 1)) == np.count_nonzero(indices)


def test_where_nothing_is_found_no_file_is_written_and_an_old_one_goes(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct")
    slices = source_slices(tmp_path / "ct", OPTIONS)
    path = tmp_path / "a.dcm"
    path.write_bytes(b"earlier")
    assert write_segmentation(path, masks_of((14, 12, 9)), LABELS, slices, ORIGIN, 3.0) == [NOTHING_FOUND]
    assert not path.exists()


def test_structures_may_overlap(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct", orientation=OBLIQUE)
    image = read(tmp_path / "ct", OPTIONS)
    masks = np.zeros((3, *image.shape), np.uint8)
    masks[0, 2:9, 2:9, 2:7] = masks[1, 4:6, 4:6, 3:5] = 1
    segmentation, _ = written(tmp_path / "a.dcm", tmp_path / "ct", masks, OVERLAPPING)
    assert segmentation.SegmentsOverlap == "YES"
    assert segmentation.number_of_segments == 2
    for number in (1, 2):
        expected = in_mm(masks[number - 1], image.affine)
        np.testing.assert_allclose(segment_in_mm(segmentation, number), expected, atol=1e-3)


def test_identifiers_belong_to_source_model_and_settings(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct")
    indices = masks_of((14, 12, 9), 1)
    changed = dataclasses.replace(ORIGIN, fingerprint="e" * 64)
    found = [
        (segmentation.SOPInstanceUID, segmentation.SeriesInstanceUID)
        for origin in (ORIGIN, ORIGIN, changed)
        for segmentation, _ in [written(tmp_path / "a.dcm", tmp_path / "ct", indices, origin=origin)]
    ]
    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])


def test_a_source_without_identifiers_is_referred_to_by_made_up_ones(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct", StudyInstanceUID="", SeriesInstanceUID="", SliceThickness=None, PatientSex=None)
    segmentation, messages = written(tmp_path / "a.dcm", tmp_path / "ct", masks_of((14, 12, 9), 1))
    assert "StudyInstanceUID" in messages[0]
    assert "SliceThickness" in messages[1]
    assert segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness == 3
    assert pydicom.uid.UID(segmentation.StudyInstanceUID).is_valid
    assert segmentation.PatientSex == ""


def test_headers_that_cannot_be_referred_to_are_refused_by_name(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct")
    slices = source_slices(tmp_path / "ct", OPTIONS)
    for header in slices.headers:
        header.SOPClassUID = "1.2.3"  # of no object that there is
    with pytest.raises(DataError, match=r"a\.dcm.*--format nifti"):
        write_segmentation(tmp_path / "a.dcm", masks_of((14, 12, 9), 1), LABELS, slices, ORIGIN, 3.0)
    assert not (tmp_path / "a.dcm").exists()


def test_bad_values_of_the_source_are_not_inherited(tmp_path, make_dicom_series, monkeypatch):
    monkeypatch.setattr(config.settings, "_writing_validation_mode", config.IGNORE)
    make_dicom_series(tmp_path / "ct", PatientBirthDate="02.01.1970", StudyTime="morning", PatientAge="old")
    monkeypatch.setattr(config.settings, "_writing_validation_mode", config.RAISE)
    segmentation, (message,) = written(tmp_path / "a.dcm", tmp_path / "ct", masks_of((14, 12, 9), 1))
    assert (segmentation.PatientBirthDate, segmentation.StudyTime) == ("", "")
    assert "PatientAge" not in segmentation
    for keyword in ("PatientBirthDate", "StudyTime", "PatientAge"):
        assert keyword in message
