import os
import resource
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from datamodules.formats import DataError, ReadOptions, read_labels, read_volume, write_labels, write_scores

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
TURN = np.array([[0.8, -0.48, 0.36], [0.6, 0.64, -0.48], [0.0, 0.6, 0.8]])


def affine_of(image):
    affine, axes = np.eye(4), image.GetDimension()
    affine[:axes, :axes] = np.array(image.GetDirection()).reshape(axes, axes) * image.GetSpacing()
    affine[:axes, 3] = image.GetOrigin()
    return LPS_TO_RAS @ affine


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
@pytest.mark.parametrize("kind", ["oblique", "sheared", "structures", "one structure", "slice", "plane"])
def test_labels_lie_where_the_nifti_puts_them(tmp_path, suffix, kind):
    rng = np.random.default_rng(2)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = TURN * [0.7, -1.3, 5.0], [31.0, -42.5, 7.25]
    shape = {"structures": (2, 3, 4, 5), "one structure": (1, 3, 4, 5)}.get(kind, (3, 4, 5))
    stored = (3, 4, 5)
    if kind == "sheared":
        affine[0, 2] += 1.0
    elif kind == "slice":
        shape, stored = (3, 4, 1), (3, 4)
    elif kind == "plane":
        shape, stored, affine = (3, 4, 1), (3, 4), np.diag([0.5, -2.0, 1.0, 1.0])
    labels = rng.integers(0, 300, shape).astype(np.uint16)
    path, nifti = tmp_path / f"a.{suffix}", tmp_path / "a.nii.gz"
    write_labels(path, labels, affine, shape=stored)
    write_labels(nifti, labels, affine, shape=stored)
    assert sorted(tmp_path.iterdir()) == sorted([path, nifti])
    ours = read_labels(path, ReadOptions(strict=True))
    np.testing.assert_array_equal(ours.array, labels.reshape(ours.array.shape))
    np.testing.assert_allclose(ours.affine, affine, atol=1e-12)
    image = sitk.ReadImage(path)
    assert image.GetDimension() == (2 if kind == "plane" else 3)
    np.testing.assert_allclose(affine_of(image), affine, atol=1e-6)
    if kind not in ("sheared", "structures", "one structure", "slice"):  # which ITK reads from NIfTI otherwise, or not
        other = sitk.ReadImage(nifti)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(other))
        for index in ((0, 0, 0), (2, 1, 3), (1, 3, 4)):
            there = [image.TransformIndexToPhysicalPoint(index[: image.GetDimension()]) for image in (image, other)]
            np.testing.assert_allclose(*there, atol=1e-4)


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_scores_are_kept_as_components(tmp_path, suffix):
    scores = np.random.default_rng(3).random((3, 4, 5, 6)).astype(np.float32)
    write_scores(tmp_path / f"a.{suffix}", scores, np.diag([2.0, 3, 4, 1]))
    image = sitk.ReadImage(tmp_path / f"a.{suffix}")
    assert image.GetNumberOfComponentsPerPixel() == 3
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), np.transpose(scores, (3, 2, 1, 0)))
    np.testing.assert_array_equal(read_volume(tmp_path / f"a.{suffix}", ReadOptions(all_volumes=True)).array, scores)


@pytest.mark.parametrize("name", ["a.nhdr", "a.mhd", "a.MHA", "a.Nrrd"])
def test_a_header_apart_from_its_voxels_is_not_written(tmp_path, name):
    with pytest.raises(DataError, match=r"write to a \.(nrrd|mha) file"):
        write_labels(tmp_path / name, np.zeros((2, 2, 2), np.uint8), np.eye(4))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_equal_labels_are_equal_files(tmp_path, suffix):
    for name in "ab":
        write_labels(tmp_path / f"{name}.{suffix}", np.ones((5, 6, 7), np.uint8), np.eye(4))
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_f19_a_full_disk_leaves_the_previous_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"before")
    noise = np.random.default_rng(4).integers(0, 255, (60, 60, 60)).astype(np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError, match="216000 bytes are needed, nothing was changed"):
            write_labels(path, noise, np.eye(4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_f31_a_folder_whose_name_is_no_utf8_is_refused_by_name(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    with pytest.raises(DataError, match="a name in UTF-8"):
        write_labels(folder / "a.nrrd", np.zeros((2, 2, 2), np.uint8), np.eye(4))
    assert not list(folder.iterdir())


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_f31_other_names_work(tmp_path, suffix):
    folder = tmp_path / "é ü 脳"
    folder.mkdir()
    path = folder / f"{'x y' * 80}.{suffix}"
    write_labels(path, np.ones((2, 3, 4), np.uint8), np.eye(4))
    assert read_labels(path).array.all()
