import random

import numpy as np
import pytest
import scipy.io

from datamodules.annotations.matlab import read_matrix
from datamodules.formats.errors import DataError


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "i2", "i4", "u8"])
def test_matrices_come_out_as_scipy_wrote_them(tmp_path, dtype, compressed):
    matrix = np.arange(42).reshape(2, 3, 7).astype(dtype)
    others = {"text": "name", "cell": np.array([1, "a"], dtype=object), "x": np.eye(3)}
    scipy.io.savemat(tmp_path / "m.mat", others | {"joints": matrix}, do_compression=compressed)

    read = read_matrix(tmp_path / "m.mat", "joints")
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, matrix)


def test_numbers_stored_as_smaller_ones_are_read(tmp_path):
    # Matlab stores whole numbers of a matrix of doubles in fewer bytes; one value of them fits into its own tag
    scipy.io.savemat(tmp_path / "m.mat", {"joints": np.full((1, 1, 1), 7.0)})
    content = bytearray((tmp_path / "m.mat").read_bytes())
    tag = content.rindex(np.array([9, 8], "<u4").tobytes())
    content[tag : tag + 16] = np.array([2 | 1 << 16, 7], "<u4").tobytes()
    content[132:136] = np.array([int.from_bytes(content[132:136], "little") - 8], "<u4").tobytes()
    (tmp_path / "m.mat").write_bytes(content)

    assert read_matrix(tmp_path / "m.mat", "joints").item() == 7.0


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "another kind"), (b"MATLAB 7.3 MAT-file" + b" " * 200, "version 7.3"), (b"x" * 300, "another kind")],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "m.mat").write_bytes(content)

    with pytest.raises(DataError, match=message):
        read_matrix(tmp_path / "m.mat", "joints")


@pytest.mark.parametrize("value", [np.array([1, "a"], dtype=object), {"a": 1}, "text", np.eye(2) * 1j])
def test_variables_that_are_no_real_matrix_are_refused(tmp_path, value):
    scipy.io.savemat(tmp_path / "m.mat", {"joints": value, "other": 1})

    with pytest.raises(DataError, match="a matrix `joints` of real numbers, found joints, other"):
        read_matrix(tmp_path / "m.mat", "joints")


@pytest.mark.parametrize("compressed", [False, True])
def test_f01_a_truncated_file_is_refused(tmp_path, compressed):
    path = tmp_path / "m.mat"
    scipy.io.savemat(path, {"joints": np.random.default_rng(0).normal(size=(14, 3, 20))}, do_compression=compressed)
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 97):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            read_matrix(path, "joints")


def test_f02_a_flipped_bit_in_a_compressed_file_is_refused(tmp_path):
    path, generator = tmp_path / "m.mat", random.Random(0)
    matrix = np.random.default_rng(0).normal(size=(14, 3, 20))
    scipy.io.savemat(path, {"joints": matrix}, do_compression=True)
    content = path.read_bytes()
    for _ in range(200):
        damaged = bytearray(content)
        damaged[generator.randrange(136, len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            read_matrix(path, "joints")
