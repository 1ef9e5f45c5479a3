from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datamodules.formats import (
    DataError,
    ReadOptions,
    is_volume_file,
    nifti,
    read_labels,
    read_volume,
    stored_shape,
    strip_suffix,
    suffix_of,
    write_labels,
    write_scores,
)

AFFINE = np.diag([-1.0, 2.0, 3.0, 1.0])


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.nii.gz", "a", ".nii.gz"),
        ("a.b.nii", "a.b", ".nii"),
        ("Case 1.NII.GZ", "Case 1", ".NII.GZ"),
        ("é.png", "é", ".png"),
        ("x.tiff", "x", ".tiff"),
        ("x.nrrd", "x", ".nrrd"),
        ("x.nhdr", "x", ".nhdr"),
        ("x.mha", "x", ".mha"),
        ("x.mhd", "x", ".mhd"),
        ("IM1.DCM", "IM1", ".DCM"),
    ],
)
def test_known_suffixes(name, stem, suffix):
    assert is_volume_file(Path(name))
    assert strip_suffix(Path("folder.nii") / name) == stem
    assert suffix_of(Path(name)) == suffix


@pytest.mark.parametrize("name", ["a.txt", "a.gz", ".nii.gz", "report.json", "nii", "a.nii.gz.part", ".a.nii.gz"])
def test_other_files_are_none(name):
    assert not is_volume_file(Path(name))


@pytest.mark.parametrize("name", ["a.txt", ".nii.gz"])
def test_unknown_suffixes_are_refused(name):
    for function in (strip_suffix, read_volume, read_labels):
        with pytest.raises(DataError, match=r"\.nii\.gz, \.nii, "):
            function(Path(name))


@pytest.mark.parametrize(("highest", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.uint16), (65535, np.uint16)])
@pytest.mark.parametrize("given", [np.int64, np.int32, np.uint16])
def test_labels_are_stored_in_the_smallest_type_without_scaling(tmp_path, highest, dtype, given):
    labels = np.zeros((3, 4, 5), dtype=given)
    labels[1, 2, 3] = highest
    path = tmp_path / "a.nii.gz"
    write_labels(path, labels, AFFINE)
    stored = nib.load(path)
    assert stored.get_data_dtype() == dtype
    assert stored.dataobj.slope == 1
    assert stored.dataobj.inter == 0
    back = read_labels(path)
    assert back.array.dtype == dtype
    np.testing.assert_array_equal(back.array[0], labels)
    np.testing.assert_array_equal(back.affine, AFFINE)


@pytest.mark.parametrize("labels", [np.full((2, 2, 2), -1), np.full((2, 2, 2), 65536), np.full((2, 2, 2), 0.5)])
def test_labels_that_no_type_holds_are_refused(tmp_path, labels):
    with pytest.raises(DataError, match="integer labels from 0 to 65535"):
        write_labels(tmp_path / "a.nii.gz", labels, AFFINE)
    assert not list(tmp_path.iterdir())


def test_overlapping_structures_come_back(tmp_path):
    labels = np.random.default_rng(0).integers(0, 2, (3, 4, 5, 6)).astype(bool)
    write_labels(tmp_path / "a.nii.gz", labels, AFFINE)
    assert nib.load(tmp_path / "a.nii.gz").shape == (4, 5, 6, 3)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.nii.gz").array, labels)


def test_scores_come_back_and_refuse_image_names(tmp_path):
    scores = np.random.default_rng(0).random((3, 4, 5, 6), dtype=np.float32)
    write_scores(tmp_path / "a.nii.gz", scores, AFFINE)
    for index in range(3):
        volume = read_volume(tmp_path / "a.nii.gz", ReadOptions(volume_index=index))
        np.testing.assert_array_equal(volume.array[0], scores[index])
    with pytest.raises(DataError, match=r"write scores to a \.nii\.gz file"):
        write_scores(tmp_path / "a.png", scores, AFFINE)


@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5), (4, 5, 6, 1), (4, 5, 6, 3), (4, 5, 6, 2, 3)])
def test_all_volumes_are_channels(tmp_path, shape):
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nib.save(nib.Nifti1Image(voxels, AFFINE), tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz", ReadOptions(all_volumes=True))
    assert volume.array.dtype == np.float32
    for index in range(len(volume.array)):
        single = read_volume(tmp_path / "a.nii.gz", ReadOptions(volume_index=index))
        np.testing.assert_array_equal(volume.array[index], single.array[0])
        np.testing.assert_array_equal(volume.affine, single.affine)
    assert volume.array.size == voxels.size


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.NII.GZ"])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 10), (8, 9, 10, 1), (8, 9, 1, 1), (8,)])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_label_maps_take_the_stored_shape_of_their_image(tmp_path, name, shape, kind):
    voxels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    path = tmp_path / "image.nii"
    path.write_bytes(kind(voxels, AFFINE).to_bytes())
    assert stored_shape(path) == shape
    labels = read_labels(path).array[0]
    write_labels(tmp_path / name, labels, AFFINE, shape=stored_shape(path))
    assert stored_shape(tmp_path / name) == shape
    back = nib.Nifti1Image.from_bytes(nifti.read_content(tmp_path / name)[0].tobytes())
    np.testing.assert_array_equal(back.get_fdata(), voxels)
    np.testing.assert_array_equal(read_labels(tmp_path / name).array[0], labels)


@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (4, 5), (4, 5, 7), None])
def test_another_shape_than_that_of_the_voxels_is_not_taken(tmp_path, shape):
    write_labels(tmp_path / "a.nii.gz", np.ones((4, 5, 6), np.uint8), AFFINE, shape=shape)
    assert stored_shape(tmp_path / "a.nii.gz") == (4, 5, 6)


def test_a_shape_is_that_of_a_header(tmp_path):
    assert stored_shape(tmp_path / "a.png") is None
    for name in ("absent.nii", "empty.nii", "empty.nii.gz"):
        if name.startswith("empty"):
            (tmp_path / name).touch()
        with pytest.raises(DataError, match=name):
            stored_shape(tmp_path / name)


def save_floats(path, values):
    nib.save(nib.Nifti1Image(np.asarray(values, dtype=np.float32).reshape(2, 2, 1), AFFINE), path)
    return path


def test_whole_numbers_stored_as_floats_are_labels(tmp_path):
    back = read_labels(save_floats(tmp_path / "a.nii.gz", [0, 1, 2, 300]))
    assert back.array.dtype.kind == "i"
    assert back.array.ravel().tolist() == [0, 1, 2, 300]


@pytest.mark.parametrize("wrong", [0.5, np.nan, np.inf, 1e12])
def test_f14_labels_that_are_no_integers_are_refused_with_the_values_found(tmp_path, wrong):
    with pytest.raises(DataError, match=r"a\.nii\.gz: expected integer label values, found values such as"):
        read_labels(save_floats(tmp_path / "a.nii.gz", [0, 1, 2, wrong]))


@pytest.mark.parametrize(("slope", "whole"), [(2.0, True), (0.5, False)])
def test_f14_labels_behind_a_slope_are_scaled_before_they_are_judged(tmp_path, slope, whole):
    path = tmp_path / "a.nii"
    write_labels(path, np.array([[[0], [3]]]), AFFINE)
    data = bytearray(path.read_bytes())
    data[112:116] = np.float32(slope).tobytes()  # scl_slope
    path.write_bytes(data)
    if whole:
        assert read_labels(path).array.ravel().tolist() == [0, 6]
    else:
        with pytest.raises(DataError, match=r"values such as \[1\.5\]"):
            read_labels(path)


@pytest.mark.shared_data
def test_real_scans_and_labels_keep_their_geometry(shared_data, tmp_path):
    folder = shared_data / "head_neck_ct"
    for path in sorted((folder / "labelsTr").glob("*.nii.gz"))[:3]:
        scan = read_volume(folder / "imagesTr" / path.name.replace(".nii.gz", "_0000.nii.gz"))
        labels = read_labels(path)
        assert scan.shape == labels.shape
        assert scan.orientation == "LPI"
        write_labels(tmp_path / path.name, labels.array[0], scan.affine)
        np.testing.assert_array_equal(nib.load(tmp_path / path.name).affine, nib.load(scan.path).affine)
        np.testing.assert_array_equal(read_labels(tmp_path / path.name).array, labels.array)


def test_a_file_that_no_format_claims_is_refused_by_name(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"a\.dcm"):
        read_volume(tmp_path / "a.dcm")
