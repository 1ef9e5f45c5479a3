import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.formats import DataError, read_volume
from datamodules.formats.bmp import check_bmp

PATH = Path("a.bmp")


@pytest.mark.parametrize("shape", [(1, 1), (30, 41), (30, 41, 3), (2, 1, 4)])
def test_what_opencv_writes_passes(shape):
    check_bmp(PATH, cv2.imencode(".bmp", np.zeros(shape, np.uint8))[1].tobytes())


def test_a_core_header_passes():
    check_bmp(PATH, b"BM" + struct.pack("<IIIIHHHH", 30, 0, 26, 12, 2, 1, 1, 24) + bytes(8))


@pytest.mark.parametrize("size", [(30_000, 30_000), (30_000, -30_000), (2**31 - 1, 2**31 - 1), (31, 50)])
def test_f33_a_claim_of_more_pixels_than_the_file_can_hold_is_refused(tmp_path, size):
    data = bytearray(cv2.imencode(".bmp", np.zeros((30, 41, 3), np.uint8))[1].tobytes())
    struct.pack_into("<ii", data, 18, *size)
    (tmp_path / "a.bmp").write_bytes(data)
    with pytest.raises(DataError, match=rf"a BMP header that can be true, found {size[0]} x {size[1]} pixels"):
        read_volume(tmp_path / "a.bmp")


def test_f33_a_claim_of_long_runs_is_refused():
    data = b"BM" + struct.pack("<IIIIiiHHI", 54, 0, 54, 40, 40_000, 40_000, 1, 8, 1) + bytes(20)
    with pytest.raises(DataError, match="a BMP header that can be true"):
        check_bmp(PATH, data)


@pytest.mark.parametrize("length", [0, 2, 33])
def test_f01_a_header_that_is_cut_short_is_refused(length):
    with pytest.raises(DataError, match=f"expected a BMP, found {length} bytes"):
        check_bmp(PATH, bytes(length))
