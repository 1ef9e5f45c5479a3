import logging

import numpy as np
import pytest

from datamodules.formats import dicom
from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom.series import choose_series, find_series
from datamodules.formats.errors import DataError

VOXELS = np.random.default_rng(0).integers(0, 2000, (4, 6, 5)).astype(np.int16)
LOCALISER = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesDescription": "scout"}


def test_a_series_is_described_by_its_headers(tmp_path, dicoms):
    paths = dicoms.series(tmp_path / "a" / "b", VOXELS)
    (series,) = find_series(tmp_path)
    assert series.files == tuple(sorted(paths))
    assert series.folder == tmp_path / "a" / "b"
    assert (series.uid, series.study_uid, series.patient) == ("1.2.3.4", "1.2.3", "P1")
    assert (series.modality, series.description, series.number) == ("CT", "thorax", 4)
    assert (series.rows, series.columns, series.slices, series.parts) == (6, 5, 4, ())
    assert not series.is_localiser


def test_one_file_is_a_series_of_its_own(tmp_path, dicoms):
    paths = dicoms.series(tmp_path, VOXELS)
    (series,) = find_series(paths[2])
    assert series.files == (paths[2],)


def test_a_series_spread_over_folders_is_one(tmp_path, dicoms):
    dicoms.series(tmp_path / "one", VOXELS[:2])
    dicoms.series(tmp_path / "two", VOXELS[2:], first=(-10, 20, 34))
    (series,) = find_series(tmp_path)
    assert series.folder == tmp_path
    assert np.array_equal(dicom.read(tmp_path, ReadOptions()).array[0].T, VOXELS - 1024.0)


def test_f11_several_series_are_listed_and_one_must_be_named(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS)
    dicoms.series(tmp_path, VOXELS[:2] + 1, prefix="x", SeriesInstanceUID="1.2.3.5", SeriesNumber=7)
    with pytest.raises(DataError) as raised:
        dicom.read(tmp_path, ReadOptions())
    text = str(raised.value)
    assert 'number 4 "thorax" CT 5 x 6, 4 slices, UID 1.2.3.4; number 7 "thorax" CT 5 x 6, 2 slices' in text
    assert "--series" in text
    for wanted in ("1.2.3.5", "7"):
        assert np.array_equal(dicom.read(tmp_path, ReadOptions(series=wanted)).array[0].T, VOXELS[:2] + 1 - 1024.0)
    assert len(dicom.files(tmp_path, ReadOptions(series="1.2.3.4"))) == 4


def test_f11_a_name_that_fits_none_or_several_is_refused(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS)
    dicoms.series(tmp_path, VOXELS, prefix="x", SeriesInstanceUID="1.2.3.5")
    for wanted in ("1.9", "4"):
        with pytest.raises(DataError, match=f"one series with the UID or number {wanted}, found 2"):
            choose_series(tmp_path, wanted)


def test_f11_a_localiser_beside_one_series_is_passed_over_and_told(tmp_path, dicoms, caplog):
    dicoms.series(tmp_path, VOXELS)
    dicoms.series(tmp_path, VOXELS[:1], prefix="x", SeriesInstanceUID="1.2.3.9", **LOCALISER)
    assert [series.is_localiser for series in find_series(tmp_path)] == [False, True]
    with caplog.at_level(logging.INFO):
        series, _ = choose_series(tmp_path, None)
    assert series.uid == "1.2.3.4"
    assert '"scout"' in caplog.text
    assert choose_series(tmp_path, "1.2.3.9")[0].is_localiser


def test_f11_a_localiser_within_the_series_is_passed_over_and_told(tmp_path, dicoms, caplog):
    dicoms.series(tmp_path, VOXELS)
    dicoms.series(tmp_path, VOXELS[:1], prefix="x", ImageOrientationPatient=[1, 0, 0, 0, 0, -1], **LOCALISER)
    with caplog.at_level(logging.INFO):
        assert dicom.read(tmp_path, ReadOptions()).shape == (5, 6, 4)
    assert "localisers within" in caplog.text


def test_f11_orientations_of_one_series_are_parts_to_choose_from(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS)
    dicoms.series(tmp_path, VOXELS[:2], step=(0, 2, 0), prefix="x", ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    dicoms.series(tmp_path, VOXELS[:3, :4], prefix="y")
    (series,) = find_series(tmp_path)
    assert sorted(series.parts) == ["axial 5 x 4, 5 x 4 x 3", "axial 5 x 6, 5 x 6 x 4", "coronal 5 x 6, 5 x 6 x 2"]
    with pytest.raises(DataError, match="--volume 0 to 2"):
        dicom.read(tmp_path, ReadOptions())
    chosen = series.parts.index("coronal 5 x 6, 5 x 6 x 2")
    assert dicom.read(tmp_path, ReadOptions(volume_index=chosen)).shape == (5, 6, 2)


def test_empty_uids_of_anonymised_files_are_one_series_with_a_line_in_the_log(tmp_path, dicoms, caplog):
    dicoms.series(tmp_path, VOXELS, SOPClassUID="", StudyInstanceUID="", SeriesInstanceUID="", SOPInstanceUID="")
    with caplog.at_level(logging.INFO):
        series, _ = choose_series(tmp_path, None)
    assert series.uid == ""
    assert "no SeriesInstanceUID" in caplog.text
    assert dicom.read(tmp_path, ReadOptions(series="")).shape == (5, 6, 4)


def test_empty_uids_are_told_apart_by_folder_and_description(tmp_path, dicoms):
    blank = {"StudyInstanceUID": "", "SeriesInstanceUID": "", "SeriesNumber": None}
    dicoms.series(tmp_path / "one", VOXELS, **blank)
    dicoms.series(tmp_path / "two", VOXELS, **blank)
    dicoms.series(tmp_path / "two", VOXELS, prefix="x", **blank, SeriesDescription="lung")
    assert [series.description for series in find_series(tmp_path)] == ["thorax", "thorax", "lung"]


@pytest.mark.parametrize("modality", ["SEG", "RTSTRUCT", "SR", "PR", "KO", "DOC"])
def test_objects_that_are_no_images_are_left_out_with_a_line_in_the_log(tmp_path, dicoms, modality, caplog):
    dicoms.series(tmp_path, VOXELS)
    dicoms.series(tmp_path / "other", VOXELS[:1], Modality=modality, SeriesInstanceUID="1.9")
    with caplog.at_level(logging.INFO):
        assert len(find_series(tmp_path)) == 1
    assert f"left out 1 files of {modality}" in caplog.text
    with pytest.raises(DataError, match=f"expected DICOM images, found 1 files of {modality}"):
        find_series(tmp_path / "other")


def test_colour_images_and_screen_captures_are_left_out(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS)
    capture = "1.2.840.10008.5.1.4.1.1.7"
    dicoms.series(tmp_path, VOXELS[:1], prefix="x", SeriesInstanceUID="1.9", SamplesPerPixel=3)
    dicoms.series(
        tmp_path, VOXELS[:1], prefix="y", SeriesInstanceUID="1.10", SOPClassUID=capture, ImagePositionPatient=None
    )
    assert [series.uid for series in find_series(tmp_path)] == ["1.2.3.4"]


def test_f13_a_damaged_file_makes_the_series_of_its_folder_unreadable_and_no_other(tmp_path, dicoms):
    dicoms.series(tmp_path / "good", VOXELS)
    paths = dicoms.series(tmp_path / "bad", VOXELS, SeriesInstanceUID="1.9")
    paths[-1].write_bytes(paths[-1].read_bytes()[:400])
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "empty.dcm").touch()
    found = {series.folder.name: series for series in find_series(tmp_path)}
    assert found["good"].problem is None
    assert dicom.read(tmp_path, ReadOptions(series="1.2.3.4")).shape == (5, 6, 4)
    for name, file in (("bad", paths[-1]), ("alone", tmp_path / "alone" / "empty.dcm")):
        assert found[name].problem.path == file
        with pytest.raises(DataError, match=file.name):
            choose_series(tmp_path / name, None)


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match="no DICOM file"):
        find_series(tmp_path)


def test_listing_reads_no_pixels(tmp_path, dicoms):
    for path in dicoms.series(tmp_path, VOXELS):
        path.write_bytes(path.read_bytes()[:-10])
    assert find_series(tmp_path)[0].slices == 4
    with pytest.raises(DataError, match="bytes"):
        dicom.read(tmp_path, ReadOptions())
