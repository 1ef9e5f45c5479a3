import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.cases import Case, read_image, read_label
from datamodules.formats.errors import DataError
from datamodules.labels import LabelSet


def test_files_of_a_case_come_once():
    path = Path("a.nii.gz")
    assert Case("a", "a", (path, path), Path("b.nii.gz"), volume_indices=(0, 1)).files == (path, Path("b.nii.gz"))
    assert Case("a", "a", (path,)).files == (path,)


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


def test_a_case_has_images_and_either_a_label_or_masks():
    path = Path("a.nii.gz")
    assert not Case("a", "a", (path,)).has_label
    assert Case("a", "a", (path,), masks=(path,)).label_files == (path,)
    assert Case("a", "a", (path,), path).label_files == (path,)
    with pytest.raises(ValueError, match="both a label file and mask files"):
        Case("a", "a", (path,), path, masks=(path,))
    with pytest.raises(ValueError, match="'a' has no image"):
        Case("a", "a", ())


def test_masks_become_zero_and_one_whatever_their_value(tmp_path, write_volume):
    arrays = [np.zeros((3, 4, 5), np.uint8) for _ in range(2)]
    arrays[0][0], arrays[1][:, 1] = 255, 7
    masks = tuple(write_volume(tmp_path / f"{i}.nii.gz", array) for i, array in enumerate(arrays))
    label = read_label(Case("a", "a", (tmp_path / "a.nii.gz",), masks=masks))
    np.testing.assert_array_equal(label.array, np.stack(arrays) != 0)


def test_a_label_keeps_its_values(tmp_path, write_volume):
    path = write_volume(tmp_path / "l.nii.gz", np.full((3, 4, 5), 9, np.uint8))
    assert np.unique(read_label(Case("a", "a", (path,), path)).array).tolist() == [9]
    with pytest.raises(DataError, match="a label file"):
        read_label(Case("a", "a", (path,)))


@pytest.mark.parametrize("values", [(1, 2), (0, 1, 3)])
def test_f14_a_mask_of_several_values_is_refused(tmp_path, write_volume, values):
    array = np.resize(np.array(values, np.uint8), (3, 4, 5))
    path = write_volume(tmp_path / "m.nii.gz", array)
    with pytest.raises(DataError, match=r"m\.nii\.gz: expected a mask of one structure"):
        read_label(Case("a", "a", (path,), masks=(path,)))


def test_f14_a_mask_of_several_volumes_is_refused(tmp_path, write_volume):
    path = write_volume(tmp_path / "m.nii.gz", np.zeros((3, 4, 5, 2), np.uint8))
    with pytest.raises(DataError, match="found 2 volumes"):
        read_label(Case("a", "a", (path,), masks=(path,)))


@pytest.mark.parametrize("read", [read_image, read_label])
def test_f31_a_link_that_leads_nowhere_is_named(tmp_path, read):
    link = tmp_path / "link.nii.gz"
    link.symlink_to(tmp_path / "gone.nii.gz")
    with pytest.raises(DataError, match=r"link\.nii\.gz: expected a file of case a.*symbolic link to .*gone"):
        read(Case("a", "a", (link,), link))
    with pytest.raises(DataError, match="symbolic link"):
        _ = Case("a", "a", (link,)).all_files


def test_f31_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.nii: expected a file of case a, found none"):
        read_image(Case("a", "a", (tmp_path / "gone.nii",)))


def write_slices(folder, values):
    folder.mkdir()
    for number, value in enumerate(values):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((3, 4), value, np.uint8))
    return folder


def test_f31_a_folder_of_slices_may_be_a_link(tmp_path):
    real = write_slices(tmp_path / "real", [1, 2, 3])
    (tmp_path / "link").symlink_to(real, target_is_directory=True)
    case = Case("a", "a", (tmp_path / "link",), real, spacing_mm=(1.0, 1.0, 5.0))
    assert read_image(case).array[0, 0, 0].tolist() == [1, 2, 3]
    assert read_image(case).spacing_mm == (1.0, 1.0, 5.0)
    assert len(case.all_files) == 6


def test_many_masks_are_held_once(tmp_path, write_volume):
    mask = np.zeros((64, 64, 32), np.uint8)
    mask[5:20] = 1
    masks = tuple(write_volume(tmp_path / f"{index}.nii.gz", mask) for index in range(24))
    case = Case("a", "a", masks[:1], masks=masks)
    labels = LabelSet.of_masks([str(index) for index in range(24)])
    labels.encode(read_label(case).array)  # what libraries keep for good is there after the first time
    tracemalloc.start()
    encoded = labels.encode(read_label(case).array)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert encoded.sum() == 24 * mask.sum()
    assert peak < 1.5 * encoded.nbytes


@pytest.mark.parametrize("stored", [np.uint8, np.int16])
def test_masks_of_another_grid_are_refused(tmp_path, write_volume, stored):
    paths = [tmp_path / f"{index}.nii.gz" for index in range(3)]
    for path, affine in zip(paths, [None, None, np.diag([2.0, 2.0, 4.0, 1.0])], strict=True):
        write_volume(path, np.ones((3, 4, 5), stored), affine)
    with pytest.raises(DataError, match=r"2\.nii\.gz: expected the affine of .*0\.nii\.gz"):
        read_label(Case("a", "a", (paths[0],), masks=tuple(paths)))
    assert read_label(Case("a", "a", (paths[0],), masks=tuple(paths[:2]))).array.dtype == np.uint8
