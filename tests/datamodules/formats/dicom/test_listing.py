"""Series that are listed in a folder: what they are told apart by, and when a listing is made again."""

import logging
import os
import time

import numpy as np
import pytest

from datamodules.formats import dicom, format_of, read_volume
from datamodules.formats.base import ReadOptions
from datamodules.formats.dicom import series
from datamodules.formats.dicom.series import choose_series, find_series
from datamodules.formats.errors import DataError

VOXELS = np.arange(4 * 6 * 5, dtype=np.int16).reshape(4, 6, 5)
CSA = "1.3.12.2.1107.5.9.1"
PLAIN = ReadOptions()


def age(folder):
    """Make a folder look as if nothing had changed in it for a minute."""
    past = time.time() - 60
    os.utime(folder, (past, past))


@pytest.fixture
def walks(monkeypatch):
    """Return the folders that were listed by reading all headers."""
    seen = []
    real = series._headers
    monkeypatch.setattr(series, "_headers", lambda path: seen.append(path) or real(path))
    return seen


def test_a_mosaic_is_refused_with_a_way_out_and_other_series_of_the_folder_are_read(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS)
    kind = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    dicoms.series(tmp_path, VOXELS[:1], prefix="x", SeriesInstanceUID="1.9", ImageType=kind)
    with pytest.raises(DataError, match=r"mosaic of slices \(Siemens\); convert .* dcm2niix"):
        dicom.read(tmp_path, ReadOptions(series="1.9"))
    assert dicom.read(tmp_path, ReadOptions(series="1.2.3.4")).shape == (5, 6, 4)


def test_objects_of_private_classes_without_rows_are_left_out_with_a_line_in_the_log(tmp_path, dicoms, caplog):
    dicoms.series(tmp_path, VOXELS)
    blank = {"Rows": None, "Columns": None, "SOPClassUID": CSA, "SeriesInstanceUID": "1.9"}
    dicoms.series(tmp_path, VOXELS[:1], prefix="x", **blank)
    with caplog.at_level(logging.INFO):
        assert dicom.read(tmp_path, PLAIN).shape == (5, 6, 4)
    assert "left out 1 files of CT (objects without Rows and Columns)" in caplog.text


def test_f13_an_image_without_rows_is_damaged_still(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS)
    dicoms.series(tmp_path, VOXELS[:1], prefix="x", Rows=None, Columns=None)
    with pytest.raises(DataError, match="Rows and Columns"):
        dicom.read(tmp_path, PLAIN)


def test_f17_series_of_two_patients_with_one_uid_are_two_and_refused(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS[:2])
    dicoms.series(tmp_path, VOXELS[2:], first=(-10, 20, 34), prefix="x", PatientID="secret")
    assert [series.slices for series in find_series(tmp_path)] == [2, 2]
    with pytest.raises(DataError, match="one UID, but another PatientID") as raised:
        dicom.read(tmp_path, ReadOptions(series="1.2.3.4"))
    assert "secret" not in str(raised.value)


def test_a_series_in_several_folders_is_read_from_the_one_above(tmp_path, dicoms):
    dicoms.series(tmp_path / "SE0", VOXELS[:2])
    dicoms.series(tmp_path / "SE1", VOXELS[2:], first=(-10, 20, 34))
    for options in (PLAIN, ReadOptions(series="1.2.3.4")):
        assert format_of(tmp_path, options).name == "DICOM"
        assert np.array_equal(read_volume(tmp_path, options).array[0].T, VOXELS - 1024.0)


def test_a_series_with_pictures_of_it_is_dicom_although_a_spacing_is_stated(tmp_path, dicoms):
    dicoms.series(tmp_path, VOXELS)
    (tmp_path / "preview.png").write_bytes(b"\x89PNG")
    assert format_of(tmp_path, ReadOptions(spacing_mm=(1.0, 1.0, 1.0))).name == "DICOM"


def test_of_many_series_or_parts_the_first_ten_are_shown(tmp_path, dicoms):
    for index in range(13):
        turned = np.round(
            [np.cos(0.1 * index), np.sin(0.1 * index), 0, -np.sin(0.1 * index), np.cos(0.1 * index), 0], 6
        )
        dicoms.series(tmp_path / "parts", VOXELS[:1], prefix=f"{index}_", ImageOrientationPatient=turned.tolist())
        dicoms.series(tmp_path / "series", VOXELS[:1], prefix=f"{index}_", SeriesInstanceUID=f"1.2.{index + 1}")
    for name in ("parts", "series"):
        with pytest.raises(DataError, match=r"found 13: .*; and 3 more") as raised:
            dicom.read(tmp_path / name, PLAIN)
        assert str(raised.value).count("5 x 6") == (20 if name == "parts" else 10)


def test_a_folder_of_many_series_is_listed_once_for_all_of_them(tmp_path, dicoms, walks):
    for number in range(5):
        dicoms.series(tmp_path, VOXELS + number, prefix=number, SeriesInstanceUID=f"1.2.{number + 1}")
    age(tmp_path)
    for number in range(5):
        volume = dicom.read(tmp_path, ReadOptions(series=f"1.2.{number + 1}"))
        assert np.array_equal(volume.array[0].T, VOXELS + number - 1024.0)
    assert walks == [tmp_path]


def test_f30_a_folder_is_listed_again_when_a_file_of_it_changes_comes_or_goes(tmp_path, dicoms, walks):
    paths = dicoms.series(tmp_path, VOXELS)
    age(tmp_path)
    assert len(choose_series(tmp_path, None)[0].files) == 4
    image = dicoms.slice(VOXELS[0], (0, 0, 99), SeriesInstanceUID="1.9")
    with paths[0].open("r+b") as stream:  # in place, which leaves no mark on the folder
        image.save_as(stream, enforce_file_format=True)
    assert len(choose_series(tmp_path, "1.2.3.4")[0].files) == 3
    paths[0].unlink()
    assert len(choose_series(tmp_path, None)[0].files) == 3
    assert len(walks) == 3


def test_f30_a_folder_that_has_just_changed_is_listed_each_time(tmp_path, dicoms, walks):
    dicoms.series(tmp_path, VOXELS)
    for _ in range(2):
        choose_series(tmp_path, None)
    assert len(walks) == 2
