import unicodedata
from pathlib import Path

import numpy as np
import pytest

from datamodules.cases import Case, claim_channels, group_channels, list_volumes, name_key, read_image, same_name
from datamodules.formats.errors import DataError

FOLDER = Path("folder")


def grouped(*names):
    return group_channels(FOLDER, [FOLDER / f"{name}.nii.gz" for name in names])


def test_files_of_a_case_come_once():
    path = Path("a.nii.gz")
    assert Case("a", "a", (path, path), Path("b.nii.gz"), volume_indices=(0, 1)).files == (path, Path("b.nii.gz"))
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


def test_all_volumes_of_a_file_are_its_channels(tmp_path, write_volume):
    array = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
    case = Case("a", "a", (write_volume(tmp_path / "a.nii.gz", array),), all_volumes=True)
    np.testing.assert_array_equal(read_image(case, 2).array, np.moveaxis(array, -1, 0))
    for wrong in (1, 3):
        with pytest.raises(DataError, match=rf"expected {wrong} channel\(s\), found 2 in 1 file"):
            read_image(case, wrong)


def test_digits_of_whole_names_are_no_channels():
    files = [FOLDER / f"a_{number:04d}.png" for number in range(3)]
    assert list(group_channels(FOLDER, files)) == ["a"]
    assert list(group_channels(FOLDER, files, whole=files)) == ["a_0000", "a_0001", "a_0002"]
    assert claim_channels(files, whole=files[:1]) == [(path.stem, 0, path) for path in files]


@pytest.mark.parametrize("all_volumes", [False, True])
def test_f04_doubtful_geometry_is_refused_when_strict(tmp_path, write_volume, all_volumes):
    path = write_volume(tmp_path / "a.nii", np.zeros((3, 4, 5), np.int16))
    data = bytearray(path.read_bytes())
    data[252:256] = bytes(4)  # qform_code and sform_code
    path.write_bytes(data)
    case = Case("a", "a", (path,), all_volumes=all_volumes)
    assert read_image(case).array.shape[0] == 1
    with pytest.raises(DataError, match="--strict"):
        read_image(case, strict=True)
