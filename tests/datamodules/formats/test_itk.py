"""What NRRD and MetaImage have in common, on files that SimpleITK writes."""

import gzip
import random
import tracemalloc

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from datamodules.formats import (
    DataError,
    ReadOptions,
    read_labels,
    read_volume,
    stored_shape,
    volume_files,
    volume_name,
)

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
TURN = np.array([[0.8, -0.48, 0.36], [0.6, 0.64, -0.48], [0.0, 0.6, 0.8]])
STRICT = ReadOptions(strict=True)
ALL = ReadOptions(all_volumes=True)
NAMES = ["a.nrrd", "a.nhdr", "a.mha", "a.mhd"]


def picture(array, *, channels=False):
    """Place [Z, Y, X] or [Z, Y, X, C] obliquely."""
    image = sitk.GetImageFromArray(array, isVector=channels)
    image.SetSpacing([0.7, 1.3, 5.0])
    image.SetOrigin([-31.0, 42.5, 7.25])
    image.SetDirection(TURN.ravel().tolist())
    return image


def affine_of(image):
    affine, axes = np.eye(4), image.GetDimension()
    affine[:axes, :axes] = np.array(image.GetDirection()).reshape(axes, axes) * image.GetSpacing()
    affine[:axes, 3] = image.GetOrigin()
    return LPS_TO_RAS @ affine


def voxels(dtype=np.int16, shape=(5, 4, 3)):
    return np.random.default_rng(1).integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_reads_what_simpleitk_writes(tmp_path, name, dtype, compressed, caplog):
    image = picture(voxels(dtype))
    sitk.WriteImage(image, tmp_path / name, compressed)
    volume = read_volume(tmp_path / name, STRICT)
    np.testing.assert_array_equal(volume.array[0], sitk.GetArrayFromImage(image).T)
    np.testing.assert_allclose(volume.affine, affine_of(image), atol=1e-12)
    assert volume.array.dtype == np.float32
    assert read_labels(tmp_path / name).array.dtype == (np.dtype(dtype) if dtype[0] != "f" else np.int32)
    assert stored_shape(tmp_path / name) == (3, 4, 5)
    assert not caplog.records


@pytest.mark.parametrize("name", NAMES)
def test_all_files_are_named(tmp_path, name):
    sitk.WriteImage(picture(voxels()), tmp_path / name)
    assert volume_files(tmp_path / name) == sorted(tmp_path.iterdir())
    assert volume_name(tmp_path / name) == "a"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compressed", [False, True])
def test_f01_a_file_cut_short_or_grown_is_refused(tmp_path, name, compressed):
    sitk.WriteImage(picture(voxels()), tmp_path / name, compressed)
    for path in sorted(tmp_path.iterdir()):
        intact = path.read_bytes()
        alone = path.suffix in (".nhdr", ".mhd")  # whose last line needs no end
        for length in {0, 1, len(intact) // 3, len(intact) - 9, len(intact) - (2 if alone else 1)}:
            path.write_bytes(intact[:length])
            with pytest.raises(DataError, match=r"expected .* found"):
                read_volume(tmp_path / name, STRICT)
        if not alone:
            path.write_bytes(intact + b"\1")
            with pytest.raises(DataError, match=r"expected .* found"):
                read_volume(tmp_path / name)
        path.write_bytes(intact)
    assert read_volume(tmp_path / name).shape == (3, 4, 5)


@pytest.mark.parametrize("name", NAMES)
def test_f02_no_flipped_bit_gives_a_wrong_voxel_unnoticed(tmp_path, name):
    sitk.WriteImage(picture(voxels(shape=(9, 8, 7))), tmp_path / name, True)
    truth = read_volume(tmp_path / name).array
    generator = random.Random(name)
    refused = 0
    for _ in range(400):
        path = generator.choice(sorted(tmp_path.iterdir()))
        intact = path.read_bytes()
        damaged = bytearray(intact)
        damaged[generator.randrange(len(intact))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read_volume(tmp_path / name).array, truth)
        except DataError:
            refused += 1
        path.write_bytes(intact)
    assert refused > 200


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "content",
    [b"", b"<!DOCTYPE html>\n<html>Not found</html>", gzip.compress(b"x" * 500, mtime=0), b"\0" * 99],
    ids=["empty", "page", "gzip", "zeros"],
)
def test_f03_another_file_under_the_name_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"header|empty"):
        read_volume(tmp_path / name)
    with pytest.raises(DataError, match="readable"):
        read_volume(tmp_path / f"absent{name}")


@pytest.mark.parametrize("name", NAMES)
def test_f09_channels_are_chosen_or_all_taken(tmp_path, name):
    array = voxels(shape=(5, 4, 3, 2))
    image = picture(array, channels=True)
    sitk.WriteImage(image, tmp_path / name, True)
    with pytest.raises(DataError, match=r"2 volumes; choose one with --volume 0 to 1"):
        read_volume(tmp_path / name)
    with pytest.raises(DataError, match="--volume 2"):
        read_volume(tmp_path / name, ReadOptions(volume_index=2))
    np.testing.assert_array_equal(read_volume(tmp_path / name, ALL).array, np.transpose(array, (3, 2, 1, 0)))
    chosen = read_volume(tmp_path / name, ReadOptions(volume_index=1))
    np.testing.assert_array_equal(chosen.array[0], array[..., 1].T)
    np.testing.assert_allclose(chosen.affine, affine_of(image), atol=1e-12)
    assert read_labels(tmp_path / name).array.shape == (2, 3, 4, 5)
    assert stored_shape(tmp_path / name) == (3, 4, 5, 2)


@pytest.mark.parametrize("name", NAMES)
def test_f09_a_fourth_dimension_is_volumes(tmp_path, name):
    array = voxels(shape=(2, 5, 4, 3))
    image = sitk.GetImageFromArray(array, isVector=False)
    image.SetSpacing([1, 2, 3, 99])
    image.SetOrigin([4, 5, 6, 7])
    sitk.WriteImage(image, tmp_path / name)
    with pytest.raises(DataError, match="--volume 0 to 1"):
        read_volume(tmp_path / name)
    volume = read_volume(tmp_path / name, ALL)
    np.testing.assert_array_equal(volume.array, np.transpose(array, (0, 3, 2, 1)))
    np.testing.assert_array_equal(volume.affine, [[-1, 0, 0, -4], [0, -2, 0, -5], [0, 0, 3, 6], [0, 0, 0, 1]])


@pytest.mark.parametrize("name", NAMES)
def test_a_plane_is_a_volume_of_one_slice(tmp_path, name):
    image = sitk.GetImageFromArray(voxels(shape=(4, 3)))
    image.SetSpacing([0.5, 2.0])
    image.SetOrigin([3.0, 4.0])
    image.SetDirection([0.8, -0.6, 0.6, 0.8])
    sitk.WriteImage(image, tmp_path / name)
    volume = read_volume(tmp_path / name, STRICT)
    np.testing.assert_array_equal(volume.array[0, ..., 0], sitk.GetArrayFromImage(image).T)
    np.testing.assert_allclose(volume.affine, affine_of(image), atol=1e-12)
    assert stored_shape(tmp_path / name) == (3, 4)


@pytest.mark.parametrize("name", NAMES)
def test_f14_labels_that_are_no_integers_are_refused(tmp_path, name):
    sitk.WriteImage(picture(np.full((5, 4, 3), 1.5, np.float32)), tmp_path / name)
    with pytest.raises(DataError, match=r"values such as \[1\.5\]"):
        read_labels(tmp_path / name)


def test_numbers_beyond_float32_are_refused(tmp_path):
    sitk.WriteImage(picture(np.full((2, 2, 2), 1e300)), tmp_path / "a.nrrd")
    with pytest.raises(DataError, match="float32"):
        read_volume(tmp_path / "a.nrrd")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("elsewhere", ["../{}", "/{}", "{folder}/{}", "sub/{}", "sub\\{}", "..", "", "x\0{}"])
def test_a_data_file_outside_the_folder_is_refused(tmp_path, name, elsewhere):
    folder = tmp_path / "inside"
    folder.mkdir()
    sitk.WriteImage(picture(voxels()), tmp_path / "a.nhdr")
    header, data = (tmp_path / f for f in ("a.nhdr", "a.raw"))
    (folder / "sub").mkdir()
    for copy in (folder / "sub" / "a.raw", tmp_path / "a.raw"):
        copy.write_bytes(data.read_bytes())
    target = elsewhere.format("a.raw", folder=tmp_path)
    text = header.read_text().replace("data file: a.raw", f"data file: {target}")
    if name.startswith("a.m"):
        sitk.WriteImage(picture(voxels()), tmp_path / "a.mhd")
        text = (tmp_path / "a.mhd").read_text().replace("= a.raw", f"= {target}")
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=r"folder|field"):
        read_volume(folder / name)


def test_a_lost_data_file_is_named(tmp_path):
    sitk.WriteImage(picture(voxels()), tmp_path / "a.mhd")
    (tmp_path / "a.raw").unlink()
    with pytest.raises(DataError, match=r"its data file a\.raw beside it, found no such file"):
        read_volume(tmp_path / "a.mhd")


def test_no_more_memory_is_taken_than_the_header_claims(tmp_path):
    sitk.WriteImage(picture(np.zeros((200, 400, 400), np.uint8)), tmp_path / "a.nrrd", True)
    data = (tmp_path / "a.nrrd").read_bytes()
    for sizes in (b"sizes: 40 40 20", b"sizes: 900000000 900000000 900000000"):
        (tmp_path / "a.nrrd").write_bytes(data.replace(b"sizes: 400 400 200", sizes))
        tracemalloc.start()
        with pytest.raises(DataError, match=r"bytes (too many|missing), at the least"):
            read_volume(tmp_path / "a.nrrd")
        assert tracemalloc.get_traced_memory()[1] < 10e6
        tracemalloc.stop()
