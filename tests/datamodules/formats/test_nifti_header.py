import gzip
import logging

import nibabel as nib
import numpy as np
import pytest

from datamodules.formats import DataError, ReadOptions, read_labels, read_volume
from datamodules.formats.nifti_header import LONGEST_HEADER, parse_header

LPI = np.diag([-2.0, -3.0, -4.0, 1.0])


def save(path, change=None, affine=LPI, dtype=np.int16, header_class=nib.Nifti1Header):
    """Write a small volume whose header was changed by hand after nibabel had made it."""
    header = header_class()
    header.set_data_dtype(dtype)
    header.set_data_shape((4, 5, 6))
    header.set_qform(affine, 1)
    header.set_sform(affine, 1)
    header["magic"] = b"n+1" if header_class is nib.Nifti1Header else b"n+2\0\r\n\x1a\n"
    header["vox_offset"] = 352 if header_class is nib.Nifti1Header else 544
    voxels = np.arange(120, dtype=np.float64).astype(dtype)
    if change is not None:
        change(header)
    path.write_bytes(header.binaryblock + bytes(4) + voxels.tobytes())
    return path


def setter(**fields):
    def change(header):
        for name, value in fields.items():
            header[name] = value

    return change


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("header_class", [nib.Nifti1Header, nib.Nifti2Header])
def test_reads_what_nibabel_reads(tmp_path, dtype, header_class):
    path = save(tmp_path / "a.nii", dtype=dtype, header_class=header_class)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array[0], nib.load(path).get_fdata())
    np.testing.assert_array_equal(volume.affine, LPI)
    assert volume.array.dtype == np.float32
    assert volume.array.flags.writeable


def test_big_endian_files_are_read(tmp_path):
    path = tmp_path / "big.nii"
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    image = nib.Nifti1Image(np.arange(120, dtype=">i2").reshape(4, 5, 6), LPI, header)
    path.write_bytes(image.to_bytes())
    assert path.read_bytes()[:4] == (348).to_bytes(4, "big")
    np.testing.assert_array_equal(read_volume(path).array[0], np.arange(120).reshape(4, 5, 6))


def test_f04_disagreeing_forms_warn_which_is_used_and_strict_refuses(tmp_path, caplog):
    path = save(tmp_path / "a.nii", setter(qoffset_x=5.0))
    with caplog.at_level(logging.WARNING):
        assert read_volume(path).origin_mm == (0, 0, 0)
    assert "difference of 5 mm; the sform is used" in caplog.text
    assert str(path) in caplog.text
    with pytest.raises(DataError, match="--strict"):
        read_volume(path, ReadOptions(strict=True))


def test_f04_no_form_at_all_warns_and_strict_refuses(tmp_path, caplog):
    path = save(tmp_path / "a.nii", setter(qform_code=0, sform_code=0))
    with caplog.at_level(logging.WARNING):
        volume = read_volume(path)
    assert "the spacing alone is used" in caplog.text
    assert volume.spacing_mm == (2, 3, 4)
    np.testing.assert_array_equal(volume.affine, nib.load(path).affine)
    with pytest.raises(DataError, match="a sform or qform"):
        read_volume(path, ReadOptions(strict=True))


@pytest.mark.parametrize("missing", ["sform_code", "qform_code"])
def test_f04_one_form_alone_is_used_without_a_word(tmp_path, caplog, missing):
    path = save(tmp_path / "a.nii", setter(**{missing: 0}))
    np.testing.assert_allclose(read_volume(path, ReadOptions(strict=True)).affine, LPI, atol=1e-6)
    assert not caplog.records


@pytest.mark.parametrize("scale", [0.35, 0.99, 1.002])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_f04_a_sform_alone_of_another_spacing_than_pixdim_warns_and_strict_refuses(tmp_path, caplog, scale, axis):
    pixdim = np.array([1, 2, 3, 4, 0, 0, 0, 0], np.float32)
    pixdim[1 + axis] *= scale
    path = save(tmp_path / "a.nii", setter(qform_code=0, pixdim=pixdim))
    assert read_volume(path).spacing_mm == (2, 3, 4)
    spacing = np.round(pixdim[1:4].astype(float), 4).tolist()
    assert f"expected a sform with the spacing of pixdim, {spacing} mm, found [2.0, 3.0, 4.0] mm; the" in caplog.text
    with pytest.raises(DataError, match=r"a sform with the spacing of pixdim.*--strict"):
        read_volume(path, ReadOptions(strict=True))


def test_f04_spacing_by_sform_and_by_pixdim_that_is_the_same_or_of_no_axis_is_used_without_a_word(tmp_path, caplog):
    for index, pixdim in enumerate([(1, 2.0015, 3, 4), (1, 2, 2.998, 4), (-1, 2, 3, 4), (0, 2, 3, 4)]):
        path = save(tmp_path / f"{index}.nii", setter(qform_code=0, pixdim=[*pixdim, 0, 0, 0, 0]))
        read_volume(path, ReadOptions(strict=True))
    plane = setter(qform_code=0, pixdim=[1, 2, 3, 0, 0, 0, 0, 0], dim=[2, 4, 30, 1, 1, 1, 1, 1])
    assert read_volume(save(tmp_path / "plane.nii", plane), ReadOptions(strict=True)).shape == (4, 30, 1)
    assert not caplog.records


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["head_neck_ct", "hippocampus_mr"])
def test_f04_real_headers_are_read_without_a_word(shared_data, caplog, name):
    paths = sorted((shared_data / name).glob("*Tr/*.nii.gz"))
    assert len(paths) >= 88
    for path in paths:
        with gzip.open(path) as stream:
            parse_header(path, stream.read(LONGEST_HEADER), strict=True)
    assert not caplog.records


def test_f04_impossible_qform(tmp_path, caplog):
    path = save(tmp_path / "a.nii", setter(quatern_b=2.0))
    assert read_volume(path).orientation == "LPI"
    assert "the sform is used" in caplog.text
    path = save(tmp_path / "b.nii", setter(quatern_b=2.0, sform_code=0))
    with pytest.raises(DataError, match="valid qform"):
        read_volume(path)


def test_f05_shear_is_read_as_it_is_for_preprocessing_to_judge(tmp_path, caplog):
    sheared = LPI.copy()
    sheared[0, 2] = 1.0
    stated = [1, 2, 3, np.sqrt(17), 0, 0, 0, 0]
    path = save(tmp_path / "a.nii", setter(qform_code=0, pixdim=stated, srow_x=sheared[0]))
    volume = read_volume(path, ReadOptions(strict=True))
    np.testing.assert_array_equal(volume.affine, sheared)
    assert volume.geometry.is_sheared
    assert not caplog.records


@pytest.mark.parametrize("spacing", [0.0, -2.0, 51.0, np.nan, np.inf])
def test_f07_absurd_spacing_is_refused(tmp_path, spacing):
    def change(header):
        header["pixdim"][2] = spacing

    path = save(tmp_path / "a.nii", change)
    with pytest.raises(DataError, match=r"a\.nii: expected spacing above 0 and at most 50 mm"):
        read_volume(path)


@pytest.mark.parametrize("scale", [0.0, 60.0, np.nan])
def test_f07_absurd_spacing_in_the_sform_alone_is_refused(tmp_path, scale):
    path = save(tmp_path / "a.nii", setter(srow_x=[scale, 0, 0, 0], qform_code=0))
    with pytest.raises(DataError, match=r"expected (spacing|an invertible affine)"):
        read_volume(path)


def test_f07_spacing_in_another_unit_is_refused(tmp_path):
    with pytest.raises(DataError, match="found micrometres"):
        read_volume(save(tmp_path / "a.nii", setter(xyzt_units=3)))


def test_f08_slope_and_intercept_are_applied_once(tmp_path):
    path = save(tmp_path / "a.nii", setter(scl_slope=0.5, scl_inter=-100.0))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array[0], nib.load(path).get_fdata(dtype=np.float32))
    assert volume.array.max() == 119 * 0.5 - 100
    assert volume.array.dtype == np.float32


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_f08_slope_zero_or_nan_counts_as_none(tmp_path, slope):
    path = save(tmp_path / "a.nii", setter(scl_slope=slope, scl_inter=7.0))
    assert read_volume(path).array.max() == 119


def test_f08_a_slope_that_makes_numbers_too_large_is_refused(tmp_path):
    path = save(tmp_path / "a.nii", setter(scl_slope=1e38, scl_inter=0.0))
    with pytest.raises(DataError, match=r"values within float32, found larger ones, with slope 1e\+38"):
        read_volume(path)


def test_f08_labels_behind_a_slope_are_scaled_in_float64(tmp_path):
    path = save(tmp_path / "a.nii", setter(scl_slope=3.0, scl_inter=2.0), dtype=np.int32)
    data = path.read_bytes()
    path.write_bytes(data[:352] + (np.arange(120, dtype=np.int32) + 2**28).tobytes())
    assert sorted(read_labels(path).array.ravel().tolist()) == [3 * (2**28 + k) + 2 for k in range(120)]


@pytest.mark.parametrize("code", ["sform_code", "qform_code"])
def test_f04_a_negative_code_is_none(tmp_path, code):
    path = save(tmp_path / "a.nii", setter(**{code: -1, "qoffset_x": 5.0}))
    assert read_volume(path, ReadOptions(strict=True)).origin_mm[0] == (5 if code == "sform_code" else 0)


def test_f04_a_plane_needs_no_thickness_and_the_third_axis_no_sign(tmp_path):
    def change(header):
        header["dim"][:4] = (2, 20, 6, 1)
        header["pixdim"][0] = header["pixdim"][3] = 0
        header["sform_code"] = 0

    volume = read_volume(save(tmp_path / "a.nii", change), ReadOptions(strict=True))
    assert volume.shape == (20, 6, 1)
    np.testing.assert_allclose(volume.spacing_mm, (2, 3, 1))


def test_f08_wide_integers_are_scaled_before_they_are_rounded(tmp_path):
    path = save(tmp_path / "a.nii", setter(scl_slope=1.0, scl_inter=-(2.0**30)), dtype=np.int32)
    data = path.read_bytes()
    path.write_bytes(data[:352] + (np.arange(120, dtype=np.int32) + 2**30).tobytes())
    np.testing.assert_array_equal(np.sort(read_volume(path).array.ravel()), np.arange(120))


def test_f08_a_slope_without_an_intercept_is_refused(tmp_path):
    with pytest.raises(DataError, match="valid NIfTI header"):
        read_volume(save(tmp_path / "a.nii", setter(scl_slope=2.0, scl_inter=np.nan)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setter(magic=b"ni1"), "single-file NIfTI"),
        (setter(magic=b""), "single-file NIfTI"),
        (setter(datatype=9999), "valid NIfTI header"),
        (setter(datatype=128), "scalar type"),
        (setter(datatype=32), "scalar type"),
        (setter(dim=[3, 4, -5, 6, 1, 1, 1, 1]), "at least one voxel"),
        (setter(dim=[0, 4, 5, 6, 1, 1, 1, 1]), "at least one voxel"),
        (setter(vox_offset=0.0), "voxel offset"),
        (setter(vox_offset=np.nan), "voxel offset"),
        (setter(vox_offset=352.5), "voxel offset"),
        (setter(vox_offset=np.inf), "voxel offset"),
    ],
)
def test_headers_that_cannot_be_true_are_refused(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        read_volume(save(tmp_path / "a.nii", change))
