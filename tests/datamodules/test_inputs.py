import logging

import cv2
import numpy as np
import pytest

from datamodules.cases import read_image
from datamodules.formats.errors import DataError
from datamodules.inputs import find_inputs

SHAPE = (4, 5, 6)


@pytest.fixture
def fill(tmp_path, write_volume):
    def write(*names):
        for name in names:
            write_volume(tmp_path / f"{name}.nii.gz", np.zeros(SHAPE, np.int16))
        return tmp_path

    return write


def names(cases):
    return {case.id: [path.name for path in case.images] for case in cases}


def test_a_folder_of_whole_cases(fill):
    assert names(find_inputs(fill("b", "a_0000", "scan_2019"), 1)) == {
        "a": ["a_0000.nii.gz"],
        "b": ["b.nii.gz"],
        "scan_2019": ["scan_2019.nii.gz"],
    }


def test_channels_are_grouped_in_order(fill):
    found = find_inputs(fill("a_0001", "a_0000", "b_0000", "b_0001"), 2)
    assert names(found)["a"] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    assert read_image(found[1], 2).array.shape == (2, *SHAPE)


def test_other_files_are_passed_over_and_told(fill, caplog):
    folder = fill("a")
    for name in (".hidden.nii.gz", "report.json", "a.txt"):
        (folder / name).write_text("", encoding="utf-8")
    (folder / "inner.nii.gz").mkdir()
    with caplog.at_level(logging.INFO):
        assert list(names(find_inputs(folder, 1))) == ["a"]
    assert "passed over 4 other entries" in caplog.text


def test_a_single_file(fill):
    folder = fill("a_0000", "a_0001", "b")
    assert names(find_inputs(folder / "b.nii.gz", 1)) == {"b": ["b.nii.gz"]}
    assert names(find_inputs(folder / "a_0000.nii.gz", 1)) == {"a": ["a_0000.nii.gz"]}
    assert names(find_inputs(folder / "a_0001.nii.gz", 2)) == {"a": ["a_0000.nii.gz", "a_0001.nii.gz"]}


def test_a_single_file_whose_name_ends_in_digits_stays_alone(fill):
    folder = fill("scan_2019", "scan_2020")
    with pytest.raises(DataError, match=r"expected 2 channel.*1 in 1 file"):
        read_image(find_inputs(folder / "scan_2019.nii.gz", 2)[0], 2)


@pytest.mark.parametrize("name", ["absent.nii.gz", "notes.txt"])
def test_what_is_no_volume_is_refused(tmp_path, name):
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=name):
        find_inputs(tmp_path / name, 1)


def test_a_folder_without_volumes_is_refused(tmp_path):
    with pytest.raises(DataError, match="none in the folder"):
        find_inputs(tmp_path, 1)


def test_f32_a_folder_of_another_channel_count_is_refused(fill):
    folder = fill("a_0000", "a_0001", "b_0000", "b_0001")
    with pytest.raises(DataError, match=r"expected 3 channel.*2 file"):
        find_inputs(folder, 3)
    with pytest.raises(DataError, match=r"expected 1 channel.*2 file"):
        find_inputs(folder, 1)


def test_f32_one_case_without_a_channel_fails_alone(fill):
    whole, broken = find_inputs(fill("a_0000", "a_0001", "b_0000"), 2)
    assert read_image(whole, 2).array.shape[0] == 2
    with pytest.raises(DataError, match="b_0001"):
        read_image(broken, 2)


def test_f32_a_colour_image_is_three_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 5, 3), np.uint8))
    (case,) = find_inputs(tmp_path, 3)
    assert read_image(case, 3).array.shape == (3, 5, 4, 1)
    with pytest.raises(DataError, match=r"expected 1 channel.*3 in 1 file"):
        read_image(case, 1)


def frames(folder, numbers, colours=()):
    for number in numbers:
        cv2.imwrite(str(folder / f"img_{number:04d}.png"), np.full((4, 5, *colours), number, np.uint8))
    return folder


@pytest.mark.parametrize(("channels", "colours"), [(1, ()), (3, (3,))])
def test_f32_numbered_images_are_no_channels(tmp_path, channels, colours):
    found = find_inputs(frames(tmp_path, range(6), colours), channels)
    assert names(found) == {f"img_{number:04d}": [f"img_{number:04d}.png"] for number in range(6)}
    assert read_image(found[5], channels).array.max() == 5
    for number in (0, 3):
        (alone,) = find_inputs(tmp_path / f"img_{number:04d}.png", channels)
        assert (alone.id, len(alone.images)) == (f"img_{number:04d}", 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_that_all_end_in_0000_lose_it(tmp_path, channels):
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}_0000.png"), np.zeros((4, 5, channels), np.uint8))
    found = find_inputs(tmp_path, channels)
    assert names(found) == {"a": ["a_0000.png"], "b": ["b_0000.png"]}
    assert read_image(found[0], channels).array.shape == (channels, 5, 4, 1)


def test_images_of_one_channel_each_are_grouped(tmp_path):
    (case,) = find_inputs(frames(tmp_path, range(2)), 2)
    assert read_image(case, 2).array[:, 0, 0, 0].tolist() == [0, 1]


@pytest.mark.parametrize("twins", [("a", "A"), ("a", "a_0000"), ("stra\u00dfe", "strasse")])
def test_f31_names_equal_but_for_case_are_refused(fill, twins):
    with pytest.raises(DataError, match="rename or remove one of each"):
        find_inputs(fill(*twins), 1)


def test_f31_one_name_in_two_formats_is_refused(fill):
    folder = fill("a")
    cv2.imwrite(str(folder / "a.png"), np.zeros((4, 5), np.uint8))
    with pytest.raises(DataError, match=r"a.nii.gz and a.png"):
        find_inputs(folder, 1)


def test_f31_links_work_and_a_broken_one_fails_by_name(fill, tmp_path_factory):
    folder = tmp_path_factory.mktemp("with space é")
    (folder / "b.nii.gz").symlink_to(fill("a") / "a.nii.gz")
    (folder / "c.nii.gz").symlink_to(folder / "gone.nii.gz")
    good, broken = find_inputs(folder, 1)
    assert read_image(good).array.shape == (1, *SHAPE)
    with pytest.raises(DataError, match=r"c\.nii\.gz"):
        read_image(broken)


def test_numbered_volumes_are_refused_with_what_helps(fill):
    folder = fill("vol_0000", "vol_0001", "vol_0002")
    with pytest.raises(DataError, match=r"add the channel, as NAME_0001_0000"):
        find_inputs(folder, 1)
    for path in list(folder.iterdir()):
        path.rename(folder / f"{path.name.removesuffix('.nii.gz')}_0000.nii.gz")
    assert list(names(find_inputs(folder, 1))) == ["vol_0000", "vol_0001", "vol_0002"]


def test_f31_an_input_whose_name_is_too_long_is_not_there(tmp_path):
    with pytest.raises(DataError, match="expected a file or folder, found nothing"):
        find_inputs(tmp_path / ("x" * 300), 1)
