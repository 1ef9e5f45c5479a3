import os
import time
import unicodedata
from pathlib import Path

import pytest

from datamodules.case_names import claim_channels, group_channels, list_volumes, name_key, refuse_unsafe, same_name
from datamodules.formats.errors import DataError

FOLDER = Path("folder")


def grouped(*names):
    return group_channels(FOLDER, [FOLDER / f"{name}.nii.gz" for name in names])


def test_four_digits_are_a_channel_only_beside_the_first_one():
    assert {name: sorted(found) for name, found in grouped("a_0000", "a_0002", "b_2019", "c").items()} == {
        "a": [0, 2],
        "b_2019": [0],
        "c": [0],
    }


def test_f31_case_and_accents_do_not_tell_names_apart():
    composed, decomposed = (unicodedata.normalize(form, "Zoé") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert name_key(composed.upper()) == name_key(decomposed)
    assert same_name(composed) == same_name(decomposed) != same_name(composed.upper())
    with pytest.raises(DataError, match="rename"):
        grouped(composed, decomposed)


def test_a_list_of_volumes_is_sorted(tmp_path):
    for name in ("b.nii", "a.png", "c.txt", ".d.nii"):
        (tmp_path / name).touch()
    assert [path.name for path in list_volumes(tmp_path)] == ["a.png", "b.nii"]


def test_digits_of_whole_names_are_no_channels():
    files = [FOLDER / f"a_{number:04d}.png" for number in range(3)]
    assert list(group_channels(FOLDER, files)) == ["a"]
    assert list(group_channels(FOLDER, files, whole=files)) == ["a_0000", "a_0001", "a_0002"]
    assert claim_channels(files, whole=files[:1]) == [(path.stem, 0, path) for path in files]


def test_f31_a_broken_link_counts_as_a_file(tmp_path):
    (tmp_path / "a.nii.gz").symlink_to(tmp_path / "gone.nii.gz")
    assert list_volumes(tmp_path) == [tmp_path / "a.nii.gz"]


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", ".hidden", "..", "", "a\0b", "é" * 121, os.fsdecode(b"caf\xe90")]
)
def test_f31_a_name_that_cannot_name_files_is_refused_with_its_place(name):
    with pytest.raises(DataError, match=r"folder: expected names of cases without /.*\(row 3\); give"):
        refuse_unsafe(FOLDER, [("a b.c", "row 2"), (name, "row 3")])


def test_f31_long_and_unusual_names_are_safe():
    names = ["x" * 240, "é" * 120, "a..b", "名前", "a b", "line\nbreak", "~x"]
    refuse_unsafe(FOLDER, [(name, "row") for name in names])


def test_a_long_list_of_files_takes_no_time_that_grows_with_its_square(tmp_path):
    for number in range(2000):
        (tmp_path / f"{number}.txt").touch()
        (tmp_path / f"{number}.nii").touch()
    start = time.perf_counter()
    assert len(list_volumes(tmp_path)) == 2000
    assert time.perf_counter() - start < 1.0
