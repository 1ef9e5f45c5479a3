"""Which folders of an input are volumes, and what they are called."""

import json
import logging
import shutil

import cv2
import numpy as np
import pydicom
import pytest

from datamodules.cases import read_image
from datamodules.formats.errors import DataError
from datamodules.inputs import find_inputs

SMALL = (5, 4, 3)


@pytest.fixture
def study(tmp_path, make_dicom_series):
    """Patients a and b, the latter with two series in one folder."""
    root = tmp_path / "study"
    make_dicom_series(root / "a" / "ct", shape=SMALL, SeriesNumber=4)
    make_dicom_series(root / "b", name="plain", shape=SMALL, SeriesNumber=4)
    make_dicom_series(root / "b", name="contrast", shape=SMALL, SeriesNumber=5, seed=1)
    return root


def ids(cases):
    return [case.id for case in cases]


def slices(folder, suffix=".png", count=3, spacing=None):
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"s{number}{suffix}"), np.full((4, 5), number, np.uint8))
    if spacing:
        (folder / "spacing.json").write_text(json.dumps({"spacing_mm": spacing}))
    return folder


def test_a_series_is_a_case_called_after_its_folder(study, monkeypatch):
    (case,) = find_inputs(study / "a" / "ct", 1)
    assert case.id == "ct"
    assert read_image(case, 1).array.shape == (1, *SMALL)
    monkeypatch.chdir(study / "a" / "ct")
    assert ids(find_inputs(study / "a" / "ct" / "..", 1)) == ["ct"]


def test_f11_several_series_in_a_folder_are_one_case_that_refuses_and_lists_them(study):
    whole, mixed = find_inputs(study, 1)
    assert (whole.id, mixed.id) == ("a_ct", "b")
    assert read_image(whole, 1).array.shape == (1, *SMALL)
    with pytest.raises(DataError, match=r"expected one series.*contrast.*plain|plain.*contrast") as error:
        read_image(mixed, 1)
    assert "--series" in str(error.value)


def test_f11_a_series_is_chosen_by_number_or_uid(study, caplog):
    caplog.set_level(logging.INFO)
    (case,) = find_inputs(study, 1, series="5")
    assert case.id == "b"
    assert "passed over" in caplog.text
    image = read_image(case, 1)
    assert ids(find_inputs(study, 1, series="4")) == ["a_ct", "b"]
    uid = pydicom.dcmread(next((study / "b").glob("contrast_*"))).SeriesInstanceUID
    (same,) = find_inputs(study, 1, series=uid)
    np.testing.assert_array_equal(read_image(same, 1).array, image.array)
    with pytest.raises(DataError, match=r"number 9.*contrast.*--series"):
        find_inputs(study, 1, series="9")


def test_f11_all_series_are_cases_of_their_own(study):
    cases = find_inputs(study, 1, series="all")
    assert ids(cases) == ["a_ct", "b_series4", "b_series5"]
    first, second = (read_image(case, 1).array for case in cases[1:])
    assert not np.array_equal(first, second)


def test_f11_series_of_one_number_are_told_apart_by_their_uids(tmp_path, make_dicom_series):
    for name in ("plain", "contrast"):
        make_dicom_series(tmp_path / "b", name=name, shape=SMALL)
    cases = find_inputs(tmp_path / "b", 1, series="all")
    assert {case.id for case in cases} == {f"b_{case.series}" for case in cases}
    assert len(cases) == 2


def test_f11_a_localiser_beside_a_series_is_passed_over(tmp_path, make_dicom_series):
    folder = tmp_path / "ct"
    make_dicom_series(folder, name="scan", shape=SMALL)
    make_dicom_series(folder, name="scout", shape=(9, 8, 1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    for wanted in (None, "all"):
        (case,) = find_inputs(folder, 1, series=wanted)
        assert case.id == "ct"
        assert read_image(case, 1).array.shape == (1, *SMALL)


def test_a_file_of_a_series_and_a_name_without_ending(study, tmp_path):
    (case,) = find_inputs(next((study / "a" / "ct").iterdir()), 1)
    assert case.id == "ct_000" or case.id.startswith("image_")
    plain = shutil.copy(next((study / "a" / "ct").iterdir()), tmp_path / "IM0001")
    assert ids(find_inputs(plain, 1)) == ["IM0001"]


def test_files_beside_folders_are_cases_too(study, write_volume, caplog):
    caplog.set_level(logging.INFO)
    write_volume(study / "scan.nii.gz", np.zeros(SMALL, np.int16))
    (study / "notes.txt").write_text("")
    assert ids(find_inputs(study, 1)) == ["a_ct", "b", "scan"]
    assert "passed over 1 other entries: notes.txt" in caplog.text


def test_pictures_beside_a_series_are_no_cases(study):
    cv2.imwrite(str(study / "a" / "ct" / "preview.png"), np.zeros((4, 5), np.uint8))
    assert ids(find_inputs(study / "a" / "ct", 1)) == ["ct"]


def test_folders_of_slices_are_volumes_where_their_spacing_is_stated(tmp_path):
    stated = slices(tmp_path / "in" / "x" / "stated", spacing=[1, 1, 2])
    slices(tmp_path / "in" / "y")
    assert ids(find_inputs(tmp_path / "in", 1)) == ["x_stated"]
    assert ids(find_inputs(stated, 1)) == ["stated"]
    both = find_inputs(tmp_path / "in", 1, spacing_mm=(1.0, 1.0, 2.0))
    assert ids(both) == ["x_stated", "y"]
    assert read_image(both[1], 1).array.shape == (1, 5, 4, 3)
    assert ids(find_inputs(tmp_path / "in" / "y", 1)) == ["s0", "s1", "s2"]


def test_tiffs_of_several_pages_are_volumes_and_no_slices(tmp_path):
    for name in "ab":
        pages = [np.full((4, 5), value, np.uint8) for value in range(3)]
        cv2.imwritemulti(str(tmp_path / f"{name}.tif"), pages)
    cases = find_inputs(tmp_path, 1, spacing_mm=(1.0, 1.0, 2.0))
    assert ids(cases) == ["a", "b"]
    assert read_image(cases[0], 1).spacing_mm == (1.0, 1.0, 2.0)


def test_channels_may_be_series_in_folders(tmp_path, make_dicom_series):
    for channel in range(2):
        make_dicom_series(tmp_path / "in" / f"p_{channel:04d}", shape=SMALL, seed=channel)
    (case,) = find_inputs(tmp_path / "in", 2)
    assert case.id == "p"
    assert read_image(case, 2).array.shape == (2, *SMALL)


@pytest.mark.parametrize(
    ("count", "channels", "changes"),
    [
        (2, 1, {}),
        (2, 3, {}),
        (3, 2, {}),
        (2, 2, {"StudyInstanceUID": "1.9"}),
        (2, 2, {"FrameOfReferenceUID": "1.9"}),
        (2, 2, {"FrameOfReferenceUID": ""}),
    ],
)
def test_numbered_series_are_no_channels_where_their_number_or_place_is_another(
    tmp_path, make_dicom_series, count, channels, changes, caplog
):
    caplog.set_level(logging.INFO)
    for number in range(count):
        make_dicom_series(tmp_path / f"SE_{number:04d}", shape=SMALL, seed=number, **(changes if number else {}))
    assert ids(find_inputs(tmp_path, channels)) == [f"SE_{number:04d}" for number in range(count)]
    assert "not taken as channels" in caplog.text


def test_series_that_are_taken_as_channels_are_told(tmp_path, make_dicom_series, caplog):
    caplog.set_level(logging.INFO)
    for number in range(2):
        make_dicom_series(tmp_path / f"SE_{number:04d}", shape=SMALL, seed=number)
    assert ids(find_inputs(tmp_path, 2)) == ["SE"]
    assert "SE: the series SE_0000, SE_0001 are taken as its 2 channels" in caplog.text


def test_f17_series_of_two_patients_in_one_folder_are_one_case_that_refuses(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "ct", shape=SMALL, SeriesInstanceUID="1.2")
    make_dicom_series(tmp_path / "ct", name="b", shape=SMALL, SeriesInstanceUID="1.2", PatientID="P2")
    for wanted in (None, "all", "1.2"):
        (case,) = find_inputs(tmp_path, 1, series=wanted)
        with pytest.raises(DataError, match="one UID, but another PatientID"):
            read_image(case, 1)


def test_a_series_in_several_folders_is_a_case_called_after_the_one_above(tmp_path, make_dicom_series):
    paths = make_dicom_series(tmp_path / "st" / "SE0", shape=SMALL)
    (tmp_path / "st" / "SE1").mkdir()
    shutil.move(paths[-1], tmp_path / "st" / "SE1")
    (case,) = find_inputs(tmp_path, 1)
    assert case.id == "st"
    assert read_image(case, 1).array.shape == (1, *SMALL)


def test_a_series_with_previews_is_one_case_although_a_spacing_is_stated(study):
    slices(study / "a" / "slices")
    for number in range(3):
        cv2.imwrite(str(study / "a" / "ct" / f"preview{number}.png"), np.zeros((4, 5), np.uint8))
    cases = find_inputs(study / "a", 1, spacing_mm=(1.0, 1.0, 2.0))
    assert ids(cases) == ["ct", "slices"]
    assert read_image(cases[0], 1).array.shape == (1, *SMALL)


def test_f31_spaces_accents_and_links_in_paths(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "far" / "é à", shape=SMALL)
    root = tmp_path / "in put"
    make_dicom_series(root / "Süd ß" / "naïve $x_", shape=SMALL, name="s")
    (root / "link").symlink_to(tmp_path / "far" / "é à")
    (root / "again").symlink_to(root)
    cases = find_inputs(root, 1)
    assert ids(cases) == ["Süd ß_naïve $x_", "link"]
    for case in cases:
        assert read_image(case, 1).array.shape == (1, *SMALL)


def test_f31_very_long_paths_give_names_that_files_can_have(tmp_path, make_dicom_series):
    root = tmp_path / "in"
    for end in "ab":
        make_dicom_series(root / ("ö" * 100) / ("y" * 100) / end, shape=SMALL, name=end)
    names = ids(find_inputs(root, 1))
    assert len(set(names)) == 2
    assert max(len(name.encode()) for name in names) <= 200


@pytest.mark.parametrize("others", [("Scan", "scan"), ("a/b", "a_b")])
def test_f31_folders_whose_names_would_be_one_are_refused(tmp_path, make_dicom_series, others):
    for number, other in enumerate(others):
        make_dicom_series(tmp_path / "in" / other, shape=SMALL, name=f"s{number}")
    with pytest.raises(DataError, match="rename or remove one of each"):
        find_inputs(tmp_path / "in", 1)


def test_f31_a_broken_link_among_the_slices_does_not_stop_the_search(tmp_path, make_dicom_series):
    make_dicom_series(tmp_path / "in" / "a", shape=SMALL)
    make_dicom_series(tmp_path / "in" / "b", shape=SMALL)
    (tmp_path / "in" / "b" / "gone.dcm").symlink_to(tmp_path / "absent.dcm")
    good, broken = find_inputs(tmp_path / "in", 1)
    assert read_image(good, 1).array.shape == (1, *SMALL)
    with pytest.raises(DataError, match=r"gone\.dcm"):
        read_image(broken, 1)


def test_dicom_without_images_is_refused(tmp_path, make_dicom_series):
    (path,) = make_dicom_series(tmp_path / "in", shape=(5, 4, 1), Modality="RTSTRUCT")
    for place in (path, path.parent):
        with pytest.raises(DataError, match="DICOM image"):
            find_inputs(place, 1)
