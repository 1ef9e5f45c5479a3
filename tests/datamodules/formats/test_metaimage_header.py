import zlib

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from datamodules.formats import DataError, ReadOptions, read_volume

VOXELS = np.arange(24, dtype="<i2")
BYTES = VOXELS.tobytes()
STRICT = ReadOptions(strict=True, all_volumes=True)
FIELDS = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "0 1 0 -1 0 0 0 0 1",
    "Offset": "4 5 6",
    "ElementSpacing": "1 2 3",
    "DimSize": "2 3 4",
    "ElementType": "MET_SHORT",
}


def save(path, data=BYTES, *, end="\n", extra="", file="LOCAL", **changes):
    """Write a header by hand; None leaves a field out."""
    fields = FIELDS | changes
    lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
    path.write_bytes((end.join(lines) + end + extra + f"ElementDataFile = {file}{end}").encode() + data)
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_header_by_hand_is_read_as_simpleitk_reads_it(tmp_path, end):
    path = save(tmp_path / "a.mha", end=end, extra=f"Comment = any: text{end}")
    volume = read_volume(path, STRICT)
    np.testing.assert_array_equal(volume.array[0], VOXELS.reshape(2, 3, 4, order="F"))
    np.testing.assert_array_equal(volume.affine, [[0, 2, 0, -4], [-1, 0, 0, -5], [0, 0, 3, 6], [0, 0, 0, 1]])
    image = sitk.ReadImage(path)
    np.testing.assert_array_equal(volume.array[0], sitk.GetArrayFromImage(image).T)
    assert image.GetDirection() == (0, -1, 0, 1, 0, 0, 0, 0, 1)


def test_other_names_of_the_same_fields_are_known(tmp_path):
    names = {"Position": "4 5 6", "Orientation": FIELDS["TransformMatrix"], "ElementByteOrderMSB": "True"}
    old = dict.fromkeys(("Offset", "TransformMatrix", "BinaryDataByteOrderMSB", "ElementSpacing"))
    path = save(tmp_path / "a.mha", VOXELS.astype(">i2").tobytes(), **old, **names, ElementSize="1 2 3")
    volume = read_volume(path, STRICT)
    np.testing.assert_array_equal(volume.array.ravel(order="F"), VOXELS)
    assert volume.spacing_mm == (1, 2, 3)
    assert volume.origin_mm == (-4, -5, 6)


@pytest.mark.parametrize("missing", ["TransformMatrix", "Offset", "ElementSpacing"])
def test_f04_missing_geometry_warns_and_strict_refuses(tmp_path, caplog, missing):
    path = save(tmp_path / "a.mha", **{missing: None})
    image, volume = sitk.ReadImage(path), read_volume(path)
    np.testing.assert_allclose(volume.spacing_mm, image.GetSpacing())
    np.testing.assert_allclose(volume.origin_mm, np.array(image.GetOrigin()) * [-1, -1, 1])
    assert f"no {missing}; spacing 1 mm, origin 0 and the directions of LPS" in caplog.text
    with pytest.raises(DataError, match="--strict"):
        read_volume(path, STRICT)


def test_f04_directions_that_are_no_unit_vectors_warn_and_strict_refuses(tmp_path, caplog):
    path = save(tmp_path / "a.mha", TransformMatrix="2 0 0 0 1 0 0 0 1")
    assert read_volume(path).spacing_mm == (2, 2, 3)
    assert "directions of length 1" in caplog.text
    with pytest.raises(DataError, match="--strict"):
        read_volume(path, STRICT)


def test_f05_shear_is_kept(tmp_path):
    volume = read_volume(save(tmp_path / "a.mha", TransformMatrix="1 0 0 0.6 0.8 0 0 0 1"), STRICT)
    assert volume.geometry.is_sheared
    np.testing.assert_allclose(volume.affine[:3, :3], [[-1, -1.2, 0], [0, -1.6, 0], [0, 0, 3]])


@pytest.mark.parametrize("spacing", ["0 2 3", "-1 2 3", "51 2 3", "nan 2 3", "1e-320 2 3", "1e29 2 3"])
def test_f07_absurd_spacing_is_refused(tmp_path, spacing):
    with pytest.raises(DataError, match="spacing above 0 and at most 50 mm"):
        read_volume(save(tmp_path / "a.mha", ElementSpacing=spacing))


@pytest.mark.parametrize("length", [0, 5, 20, -1])
def test_f02_a_stated_stream_length_is_compared(tmp_path, length):
    stream = zlib.compress(VOXELS.tobytes())
    changes = {"CompressedData": "True", "CompressedDataSize": str(len(stream))}
    assert read_volume(save(tmp_path / "a.mha", stream, **changes)).shape == (2, 3, 4)
    with pytest.raises(DataError, match=f"a compressed stream of '{len(stream)}' bytes"):
        read_volume(save(tmp_path / "a.mha", stream[:length], **changes))
    with pytest.raises(DataError, match="found no CompressedDataSize"):
        read_volume(save(tmp_path / "a.mha", stream, CompressedData="True"))
    with pytest.raises(DataError, match="nothing after it"):
        read_volume(save(tmp_path / "a.mha", stream + b"\0", **changes | {"CompressedDataSize": str(len(stream) + 1)}))


def test_bytes_before_the_voxels_of_another_file_are_skipped(tmp_path):
    (tmp_path / "a b.raw").write_bytes(b"12345" + VOXELS.tobytes())
    path = save(tmp_path / "a.mhd", b"", file="a b.raw", HeaderSize="5")
    np.testing.assert_array_equal(read_volume(path).array.ravel(order="F"), VOXELS)
    with pytest.raises(DataError, match="5 bytes too many"):
        read_volume(save(path, b"", file="a b.raw"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ObjectType": "Scene"}, "ObjectType Image"),
        ({"NDims": None}, "NDims before"),
        ({"NDims": "5"}, "NDims of 2, 3 or 4"),
        ({"NDims": "2"}, "DimSize: 2 whole numbers"),
        ({"DimSize": None}, "with DimSize"),
        ({"DimSize": "2 3 0"}, "at least one voxel"),
        ({"DimSize": "2 3 5"}, "12 bytes missing"),
        ({"DimSize": "2 3 3"}, "12 bytes too many"),
        ({"DimSize": "2 3 400000000000000000"}, "bytes missing, at the least"),
        ({"ElementNumberOfChannels": "2"}, "48 bytes missing"),
        ({"ElementNumberOfChannels": "0"}, "at least one voxel"),
        ({"ElementType": "MET_HALF"}, "ElementType: one of MET_CHAR"),
        ({"ElementType": None}, "with ElementType"),
        ({"BinaryData": "False"}, "voxels as text"),
        ({"BinaryData": None}, "with BinaryData, found none; add a line before ElementDataFile: BinaryData = True"),
        ({"BinaryData": "Maybe"}, "BinaryData: one of True"),
        ({"BinaryDataByteOrderMSB": None}, "found none; add a line .* BinaryDataByteOrderMSB = False, or True"),
        ({"CompressedDataSize": "48"}, "of voxels as they are"),
        ({"HeaderSize": "-1"}, "a missing end would shift every voxel"),
        ({"HeaderSize": "7"}, "right after the header"),
        ({"ElementToIntensityFunctionSlope": "2"}, "voxels without scaling"),
        ({"TransformMatrix": "1 0 0 0 1 0"}, "TransformMatrix: 9 numbers"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "invertible"),
        ({"Offset": "0 0 nan"}, "finite numbers"),
        ({"Position": "0 0 0"}, "Offset once"),
        ({"file": "LIST"}, "a list or pattern of files"),
        ({"file": "slice%03d.raw 1 4 1"}, "a list or pattern of files"),
        ({"extra": "words and words\n"}, "'key = value'"),
    ],
)
def test_headers_that_cannot_be_true_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        read_volume(save(tmp_path / "a.mha", **changes))
