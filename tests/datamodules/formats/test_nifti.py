import gzip
import random

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats import DataError, ReadOptions, nifti, read_labels, read_volume, write_labels

AFFINE = np.array([[-2.0, 0, 0, 30], [0, -2.5, 0, 40], [0, 0, 3.0, -50], [0, 0, 0, 1]])


@pytest.fixture
def scan(tmp_path):
    """Return a small gzipped volume on disk, as nibabel writes it."""
    voxels = np.random.default_rng(1).integers(-1000, 1000, (9, 8, 7)).astype(np.int16)
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(voxels, AFFINE), path)
    return path


def test_reads_what_nibabel_reads(scan):
    expected = nib.load(scan)
    volume = read_volume(scan)
    np.testing.assert_array_equal(volume.array[0], expected.get_fdata())
    np.testing.assert_array_equal(volume.affine, expected.affine)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_f01_truncated_gzip_is_refused(scan, share):
    data = scan.read_bytes()
    scan.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"scan\.nii\.gz: expected .* found .*; fetch|rename"):
        read_volume(scan)


@pytest.mark.parametrize("missing", [1, 2, 500, 1008, 1100, 1359])
def test_f01_truncated_uncompressed_is_refused(scan, tmp_path, missing):
    data = gzip.decompress(scan.read_bytes())
    path = tmp_path / "scan.nii"
    path.write_bytes(data[:-missing])
    with pytest.raises(DataError, match=r"bytes missing|NIfTI header"):
        read_volume(path)


def test_f01_a_gzip_stream_of_a_truncated_volume_is_refused(scan):
    scan.write_bytes(gzip.compress(gzip.decompress(scan.read_bytes())[:-10]))
    with pytest.raises(DataError, match="found 10 bytes missing"):
        read_volume(scan)


KINDS = {
    "bytes": (nib.Nifti1Image, np.uint8, (17, 5, 3)),
    "signed": (nib.Nifti1Image, np.int16, (9, 8, 7)),
    "big": (nib.Nifti2Image, ">i4", (6, 5, 4)),
    "real": (nib.Nifti2Image, np.float32, (8, 8, 2)),
    "double": (nib.Nifti1Image, np.float64, (5, 4, 3)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_f02_no_flipped_bit_gives_a_wrong_voxel_unnoticed(tmp_path, kind):
    image, dtype, shape = KINDS[kind]
    path = tmp_path / "scan.nii.gz"
    voxels = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    path.write_bytes(gzip.compress(image(voxels, AFFINE, dtype=voxels.dtype).to_bytes()))
    intact, truth = path.read_bytes(), read_volume(path)
    np.testing.assert_array_equal(truth.array[0], voxels)
    generator = random.Random(kind)
    refused = 0
    for _ in range(200):
        damaged = bytearray(intact)
        damaged[generator.randrange(len(intact))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            volume = read_volume(path)
        except DataError:
            refused += 1
            continue
        # a bit of the time stamp or file name in gzip's own header changes no voxel
        np.testing.assert_array_equal(volume.array, truth.array)
        np.testing.assert_array_equal(volume.affine, truth.affine)
    assert refused > 180


def test_f02_every_bit_of_the_gzip_header_and_trailer(scan):
    intact, truth = scan.read_bytes(), read_volume(scan)
    for position in [*range(24), *range(len(intact) - 8, len(intact))]:
        for bit in range(8):
            damaged = bytearray(intact)
            damaged[position] ^= 1 << bit
            scan.write_bytes(damaged)
            try:
                np.testing.assert_array_equal(read_volume(scan).array, truth.array)
            except DataError as error:
                assert error.path == scan  # noqa: PT017 - both outcomes are right, a wrong voxel is not


@pytest.mark.parametrize(
    "content",
    [b"", b"<!DOCTYPE html><html>404</html>", b"\x1f\x8b", b"\x1f", b"\0" * 400, b"PK\3\4" + bytes(500)],
)
@pytest.mark.parametrize("name", ["web.nii.gz", "web.nii"])
def test_f03_not_what_the_name_says_is_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_volume(path)


def test_f03_gzip_under_the_plain_name_and_the_reverse_are_refused(scan, tmp_path):
    plain = tmp_path / "scan.nii"
    plain.write_bytes(scan.read_bytes())
    with pytest.raises(DataError, match=r"rename it to end in \.nii\.gz"):
        read_volume(plain)
    scan.write_bytes(gzip.decompress(scan.read_bytes()))
    with pytest.raises(DataError, match=r"rename it to \.nii"):
        read_volume(scan)


def test_f03_bytes_behind_the_end_are_refused(scan, tmp_path):
    data = scan.read_bytes()
    scan.write_bytes(data + b"garbage")
    with pytest.raises(DataError, match="undamaged gzip stream"):
        read_volume(scan)
    scan.write_bytes(data + gzip.compress(b"more"))
    with pytest.raises(DataError, match="found 4 bytes too many"):
        read_volume(scan)


def test_gzip_of_several_members_is_read(scan):
    content = gzip.decompress(scan.read_bytes())
    truth = read_volume(scan).array
    scan.write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]))
    np.testing.assert_array_equal(read_volume(scan).array, truth)


@pytest.mark.parametrize("shape", [(4, 5, 6, 1), (4, 5, 6, 1, 1), (4, 5, 1, 1), (4, 5), (4,), (1, 1, 1, 1)])
def test_f09_axes_of_size_one_are_squeezed_behind_the_third_only(tmp_path, shape):
    path = tmp_path / "a.nii.gz"
    voxels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    nib.save(nib.Nifti1Image(voxels, AFFINE), path)
    expected = (*shape, 1, 1)[:3]
    np.testing.assert_array_equal(read_volume(path).array[0], voxels.reshape(expected))
    assert read_labels(path).array.shape == (1, *expected)


@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (4, 5, 1, 3), (4, 5, 6, 1, 3)])
def test_f09_several_volumes_are_refused_naming_the_option(tmp_path, shape):
    path = tmp_path / "a.nii.gz"
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nib.save(nib.Nifti1Image(voxels, AFFINE), path)
    with pytest.raises(DataError, match=r"3 volumes; choose one with --volume 0 to 2"):
        read_volume(path)
    chosen = read_volume(path, ReadOptions(volume_index=2))
    np.testing.assert_array_equal(chosen.array[0], voxels.reshape(*shape[:3], 3)[..., 2])
    for absent in (3, -1):
        with pytest.raises(DataError, match="choose one that exists"):
            read_volume(path, ReadOptions(volume_index=absent))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_written_files_hold_exactly_what_was_given(tmp_path, suffix, dtype):
    array = np.random.default_rng(0).integers(0, 200, (5, 6, 7)).astype(dtype)
    path = tmp_path / f"a{suffix}"
    nifti.write(path, array, AFFINE)
    image = nib.load(path)
    assert image.get_data_dtype() == dtype
    assert (image.dataobj.slope, image.dataobj.inter) == (1.0, 0.0)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), array)
    np.testing.assert_array_equal(image.affine, AFFINE)
    np.testing.assert_allclose(image.get_qform(), AFFINE, atol=1e-5)
    np.testing.assert_allclose(image.header.get_zooms(), (2, 2.5, 3))
    assert list(tmp_path.iterdir()) == [path]


def test_equal_labels_are_equal_files(tmp_path):
    array = np.ones((5, 6, 7), dtype=np.uint8)
    for name in ("a.nii.gz", "b.nii.gz"):
        nifti.write(tmp_path / name, array, AFFINE)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_sheared_affine_is_kept_in_the_sform_alone(tmp_path):
    sheared = AFFINE.copy()
    sheared[0, 1] = 0.5
    nifti.write(tmp_path / "a.nii", np.zeros((2, 2, 2), np.uint8), sheared)
    image = nib.load(tmp_path / "a.nii")
    np.testing.assert_array_equal(image.affine, sheared)
    assert image.get_qform(coded=True)[1] == 0


def test_too_long_an_axis_is_refused(tmp_path):
    with pytest.raises(DataError, match="32767"):
        nifti.write(tmp_path / "a.nii", np.zeros((40000, 1, 1), np.uint8), AFFINE)
    assert not list(tmp_path.iterdir())


def oblique(angles, spacing, offset):
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    turn = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) * spacing
    affine[:3, 3] = offset
    return affine


@settings(deadline=None, max_examples=50)
@given(angles=st.tuples(*[st.floats(-3, 3)] * 3), offset=st.floats(-2000, 2000), flip=st.booleans())
def test_f04_oblique_affines_come_back_without_a_warning(tmp_path_factory, angles, offset, flip):
    affine = oblique(angles, [0.7, 1.3, -5.0 if flip else 5.0], offset)
    path = tmp_path_factory.mktemp("oblique") / "a.nii"
    write_labels(path, np.ones((3, 4, 5), np.uint8), affine)
    volume = read_volume(path, ReadOptions(strict=True))  # strict: sform and qform agree
    np.testing.assert_allclose(volume.affine, affine, atol=2e-4)


@settings(deadline=None, max_examples=50)
@given(tilt=st.floats(0, 1e-2), spacing=st.floats(0.5, 10))
def test_f04_a_slightly_tilted_half_turn_written_by_others_is_no_doubt(tmp_path_factory, tilt, spacing):
    affine = oblique((tilt, tilt / 3, np.pi - tilt), [spacing] * 3, 100)
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), affine)
    image.set_qform(affine, 1)  # as scanners' converters do, whatever float32 makes of it
    image.set_sform(affine, 1)
    path = tmp_path_factory.mktemp("tilted") / "a.nii"
    nib.save(image, path)
    np.testing.assert_allclose(read_volume(path, ReadOptions(strict=True)).affine, affine, atol=1e-4)
