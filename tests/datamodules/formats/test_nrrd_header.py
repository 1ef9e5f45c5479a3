import bz2
import gzip

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from datamodules.formats import DataError, ReadOptions, read_volume, volume_files

VOXELS = np.arange(24, dtype="<i2")
BYTES = VOXELS.tobytes()
PLACED = {
    "space": "left-posterior-superior",
    "sizes": "2 3 4",
    "space directions": "(1,0,0) (0,2,0) (0,0,3)",
    "space origin": "(4,5,6)",
}


def save(path, data=BYTES, *, extra="", end="\n", **changes):
    """Write a header by hand; None leaves a field out, underscores stand for blanks."""
    fields = {"type": "short", "dimension": "3", **PLACED, "endian": "little", "encoding": "raw"}
    fields |= {name.replace("_", " "): value for name, value in changes.items()}
    lines = ["NRRD0004", "# by hand", *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    path.write_bytes((end.join(lines) + end + extra).encode() + end.encode() + data)
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_header_by_hand_is_read_as_simpleitk_reads_it(tmp_path, end):
    path = save(tmp_path / "a.nrrd", end=end)
    volume = read_volume(path, ReadOptions(strict=True))
    np.testing.assert_array_equal(volume.array[0], VOXELS.reshape(2, 3, 4, order="F"))
    np.testing.assert_array_equal(volume.affine, [[-1, 0, 0, -4], [0, -2, 0, -5], [0, 0, 3, 6], [0, 0, 0, 1]])
    np.testing.assert_array_equal(volume.array[0], sitk.GetArrayFromImage(sitk.ReadImage(path)).T)


def test_big_endian_voxels_are_read(tmp_path):
    path = save(tmp_path / "a.nrrd", VOXELS.astype(">i2").tobytes(), endian="big")
    np.testing.assert_array_equal(read_volume(path).array.ravel(order="F"), VOXELS)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip), ("bz2", bz2)])
def test_f02_compressed_voxels_are_read_to_the_end(tmp_path, encoding, compress):
    stream = compress.compress(VOXELS.tobytes())
    path = save(tmp_path / "a.nrrd", stream, encoding=encoding)
    np.testing.assert_array_equal(read_volume(path).array.ravel(order="F"), VOXELS)
    for length in range(len(stream)):
        save(path, stream[:length], encoding=encoding)
        with pytest.raises(DataError, match=r"stream|bytes missing"):
            read_volume(path)
    refused = 0
    for bit in range(8 * len(stream)):
        damaged = bytearray(stream)
        damaged[bit // 8] ^= 1 << bit % 8
        save(path, damaged, encoding=encoding)
        try:  # the bits of a time stamp and of padding mean nothing
            np.testing.assert_array_equal(read_volume(path).array.ravel(order="F"), VOXELS)
        except DataError:
            refused += 1
    assert refused > 6 * len(stream)


def test_lines_and_bytes_before_the_voxels_are_skipped(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"one\ntwo\n12345" + VOXELS.tobytes())
    path = save(tmp_path / "a.nhdr", b"", data_file="./a.raw", line_skip="2", byte_skip="5")
    np.testing.assert_array_equal(read_volume(path).array.ravel(order="F"), VOXELS)
    assert volume_files(path) == [tmp_path / "a.nhdr", tmp_path / "a.raw"]
    save(path, b"", data_file="a.raw", line_skip="20", byte_skip="5")
    with pytest.raises(DataError, match="20 lines before the voxels"):
        read_volume(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "char"}, "type: one of uint8"),
        ({"type": "block"}, "type: one of"),
        ({"type": None}, "'type'"),
        ({"sizes": "2 3"}, "sizes: 3 whole numbers"),
        ({"sizes": "2 3 4.0"}, "sizes: 3 whole numbers"),
        ({"sizes": "2 3 -4"}, "sizes: 3 whole numbers"),
        ({"sizes": "2 0 4"}, "at least one voxel"),
        ({"sizes": "2 3 5"}, "12 bytes missing"),
        ({"sizes": "2 3 3"}, "12 bytes too many"),
        ({"sizes": "2 3 400000000000000000"}, "bytes missing, at the least"),
        ({"dimension": "1"}, "2 to 8 axes"),
        ({"dimension": "9"}, "2 to 8 axes"),
        ({"dimension": "1_0"}, "whole number"),
        ({"endian": None}, "endian: one of little, big"),
        ({"encoding": "ascii"}, "found 'ascii'"),
        ({"encoding": "hex"}, "found 'hex'"),
        ({"encoding": None}, "'encoding'"),
        ({"byte_skip": "-1"}, "a missing end would shift every voxel"),
        ({"byte_skip": "4", "encoding": "gzip"}, "nothing to skip in a compressed stream"),
        ({"data_file": "LIST"}, "a list or pattern of files"),
        ({"data_file": "slice%03d.raw 1 4 1"}, "a list or pattern of files"),
        ({"sizess": "2 3 4"}, "a field of NRRD"),
        ({"extra": "sizes: 2 3 4\n"}, "'sizes' once"),
        ({"extra": "nonsense\n"}, "a field of NRRD"),
        ({"extra": "content: a\rb\n"}, "lines that end alike"),
        ({"kinds": "domain domain"}, "kinds of 3 axes"),
        ({"kinds": "domain domain complex"}, "kinds of 3 axes"),
    ],
)
def test_headers_that_cannot_be_true_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        read_volume(save(tmp_path / "a.nrrd", **changes))


def test_a_field_before_the_one_it_depends_on_is_refused(tmp_path):
    path = save(tmp_path / "a.nrrd", dimension=None, extra="dimension: 3\n")
    with pytest.raises(DataError, match="'dimension' before 'sizes'"):
        read_volume(path)


def test_comments_keys_and_unused_fields_are_passed_over(tmp_path):
    extra = "key:=value with: colons\n# comment\ncontent: a name\nmeasurement frame: (1,0,0) (0,1,0) (0,0,1)\n"
    assert read_volume(save(tmp_path / "a.nrrd", extra=extra), ReadOptions(strict=True)).shape == (2, 3, 4)


def test_a_header_without_an_end_is_refused(tmp_path):
    path = save(tmp_path / "a.nrrd", b"")
    path.write_bytes(path.read_bytes().rstrip() + b"\n")
    with pytest.raises(DataError, match="an empty line"):
        read_volume(path)


def test_a_longer_header_than_any_true_one_is_refused(tmp_path):
    path = save(tmp_path / "a.nrrd", extra="key:=value\n" * 120_000)
    with pytest.raises(DataError, match=r"field of NRRD|an empty line"):
        read_volume(path)
