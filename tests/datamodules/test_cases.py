import unicodedata
from pathlib import Path

import numpy as np
import pytest

from datamodules.cases import Case, group_channels, list_volumes, name_key, read_image, same_name
from datamodules.formats.errors import DataError

FOLDER = Path("folder")


def grouped(*names):
    return group_channels(FOLDER, [FOLDER / f"{name}.nii.gz" for name in names])


def test_files_of_a_case_come_once():
    path = Path("a.nii.gz")
    assert Case("a", "a", (path, path), Path("b.nii.gz"), (0, 1)).files == (path, Path("b.nii.gz"))
    assert Case("a", "a", (path,)).files == (path,)


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


def test_channels_on_different_grids_are_refused(tmp_path, write_volume):
    paths = tuple(tmp_path / f"a_{channel:04d}.nii.gz" for channel in range(2))
    for path, shape in zip(paths, [(4, 5, 6), (4, 5, 7)], strict=True):
        write_volume(path, np.zeros(shape, np.int16))
    with pytest.raises(DataError, match="a_0001"):
        read_image(Case("a", "a", paths))


def test_f09_a_file_of_several_volumes_needs_to_be_told_which(tmp_path, write_volume):
    path = write_volume(tmp_path / "a.nii.gz", np.arange(2 * 60, dtype=np.float32).reshape(3, 4, 5, 2))
    with pytest.raises(DataError, match="--volume"):
        read_image(Case("a", "a", (path,)))
    assert read_image(Case("a", "a", (path,), volume_indices=(1,))).array[0, 0, 0, 0] == 1
