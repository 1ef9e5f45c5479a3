"""Headers of a source as a segmentation can use them."""

import pydicom
import pytest
from pydicom import config
from pydicom.uid import UID, CTImageStorage

from pipeline.inference.dicom_source import mend_headers

CONTENT = "c" * 64


@pytest.fixture
def headers(tmp_path, make_dicom_series):
    def make(**changes):
        paths = make_dicom_series(tmp_path / "ct", shape=(6, 5, 3), **changes)
        return [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]

    return make


def test_whole_headers_stay_as_they_are(headers):
    source = mend_headers(headers(), CONTENT, 2.5)
    assert source.messages == []
    for before, after in zip(headers(), source.headers, strict=True):
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "ImagePositionPatient", "Rows"):
            assert after[keyword].value == before[keyword].value
    assert source.headers[0].PatientName == "Doe^Jane"


def test_the_source_is_not_changed(headers):
    sources = headers(PatientSex="X", StudyInstanceUID="")
    before = [header.to_json() for header in sources]
    mend_headers(sources, CONTENT, 2.5)
    assert [header.to_json() for header in sources] == before


def test_identifiers_come_from_the_file_meta_information(headers):
    sources = headers()
    expected = [header.SOPInstanceUID for header in sources]
    for header in sources:
        header.SOPInstanceUID = header.SOPClassUID = ""
    source = mend_headers(sources, CONTENT, 2.5)
    assert [header.SOPInstanceUID for header in source.headers] == expected
    assert {header.SOPClassUID for header in source.headers} == {CTImageStorage}
    assert source.messages == ["the source has SOPClassUID, SOPInstanceUID in its file meta information alone"]


def test_missing_identifiers_are_made_of_the_content(headers):
    sources = headers(StudyInstanceUID="", SeriesInstanceUID=None, FrameOfReferenceUID="")
    for header in sources:
        header.SOPInstanceUID = ""
        del header.file_meta
    once, again, other = (mend_headers(sources, content, 2.5) for content in (CONTENT, CONTENT, "d" * 64))
    found = [[header[word].value for word in ("StudyInstanceUID", "SOPInstanceUID")] for header in once.headers]
    assert found == [
        [header[word].value for word in ("StudyInstanceUID", "SOPInstanceUID")] for header in again.headers
    ]
    assert len({uid for _, uid in found}) == 3
    assert len({study for study, _ in found}) == 1
    assert other.headers[0].StudyInstanceUID != once.headers[0].StudyInstanceUID
    for header in once.headers:
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
            assert UID(header[keyword].value).is_valid
    (message,) = once.messages
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert keyword in message


def test_identifiers_that_break_a_rule_are_kept_as_they_are(headers):
    odd = {"StudyInstanceUID": "1.2.03.4", "SeriesInstanceUID": "1.02", "FrameOfReferenceUID": "1..2"}
    source = mend_headers(headers(**odd), CONTENT, 3.0)
    assert source.messages == []
    for header in source.headers:
        assert {keyword: header[keyword].value for keyword in odd} == odd


def test_identifiers_that_cannot_be_kept_are_called_invalid_and_not_absent(headers):
    source = mend_headers(headers(SeriesInstanceUID="a.b", FrameOfReferenceUID=""), CONTENT, 3.0)
    absent, invalid = source.messages
    assert "has no FrameOfReferenceUID" in absent
    assert "has an invalid SeriesInstanceUID" in invalid
    assert "a.b" not in invalid


@pytest.mark.parametrize("changes", [{"PatientID": "p" * 96}, {"StudyInstanceUID": "1.2.x"}])
def test_an_identifier_of_patient_or_study_that_cannot_be_written_is_refused(headers, changes):
    ((keyword, value),) = changes.items()
    with pytest.raises(ValueError, match=f"a {keyword} that DICOM does not allow") as raised:
        mend_headers(headers(**changes), CONTENT, 3.0)
    assert value not in str(raised.value)


@pytest.mark.parametrize("stated", [5.0, -2.0])
def test_a_stated_distance_of_slices_is_replaced_by_that_of_their_places_and_told(headers, stated):
    source = mend_headers(headers(SpacingBetweenSlices=stated), CONTENT, 3.0)
    assert source.headers[0].SpacingBetweenSlices == 3.0
    assert source.messages == [f"the source states slices {stated:g} mm apart; the DICOM-SEG has 3 mm, as they lie"]
    right = mend_headers(headers(SpacingBetweenSlices=3.001), CONTENT, 3.0)
    assert (right.headers[0].SpacingBetweenSlices, right.messages) == (3.0, [])
    assert mend_headers(headers(), CONTENT, 3.0).headers[0].SpacingBetweenSlices == 3.0


def test_images_of_one_identifier_are_told(headers):
    (message,) = mend_headers(headers(SOPInstanceUID="1.2.3"), CONTENT, 3.0).messages
    assert "2 images of the source have the SOPInstanceUID of another" in message


def test_the_class_of_an_image_without_one_follows_its_modality(headers):
    sources = headers()
    for header in sources:
        header.SOPClassUID = ""
        del header.file_meta
    assert {header.SOPClassUID for header in mend_headers(sources, CONTENT, 2.5).headers} == {CTImageStorage}


def test_values_that_dicom_does_not_allow_are_left_out_and_told_without_their_content(headers, monkeypatch):
    monkeypatch.setattr(config.settings, "_writing_validation_mode", config.IGNORE)
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.IGNORE)
    item = pydicom.Dataset()
    item.CodeValue = "x" * 30
    item.CodeMeaning = "kept"
    sources = headers(PatientBirthDate="1970.01.02", PatientSex="X", StudyID="s" * 40, ProcedureCodeSequence=[item])
    source = mend_headers(sources, CONTENT, 2.5)
    first = source.headers[0]
    assert (first.PatientBirthDate, first.PatientSex, first.StudyID) == ("", "", "")
    assert first.ProcedureCodeSequence[0].CodeMeaning == "kept"
    (message,) = source.messages
    for keyword in ("PatientBirthDate", "PatientSex", "StudyID", "CodeValue"):
        assert keyword in message
    assert "1970" not in message


def test_what_a_segmentation_must_have_is_blank_where_it_is_missing(headers):
    missing = dict.fromkeys(
        ["PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"]
    )
    source = mend_headers(headers(**missing, SliceThickness=None), CONTENT, 2.5)
    first = source.headers[0]
    for keyword in missing:
        assert keyword in first
        assert not first[keyword].value
    assert first.SliceThickness == 2.5
    assert source.messages == ["the source has no SliceThickness: the DICOM-SEG has the distance between its slices"]


def test_names_in_another_encoding_survive_the_change_to_utf8(headers):
    sources = headers(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")
    first = mend_headers(sources, CONTENT, 2.5).headers[0]
    assert first.SpecificCharacterSet == "ISO_IR 192"
    assert str(first.PatientName) == "Müller^Jörg"
