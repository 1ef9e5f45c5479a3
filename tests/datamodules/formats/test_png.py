import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.formats import DataError, read_volume
from datamodules.formats.png import check_png

PATH = Path("a.png")


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def png(width, height, depth=8, colour=0, pixels=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 3), (8, 4), (16, 6)])
def test_every_type_of_colour_passes_and_may_be_all_of_one_colour(depth, colour):
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    check_png(PATH, png(500, 400, depth, colour, bytes(400 * (1 + 500 * samples * depth // 8))))


def test_what_opencv_writes_passes(tmp_path):
    for shape in ((1, 1), (2000, 2000), (30, 40, 3), (30, 40, 4)):
        check_png(PATH, cv2.imencode(".png", np.zeros(shape, np.uint8))[1].tobytes())


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_f33_a_claim_of_more_pixels_than_the_file_can_hold_is_refused(tmp_path, size):
    (tmp_path / "a.png").write_bytes(png(*size))
    with pytest.raises(DataError, match=rf"header that can be true, found {size[0]} x {size[1]} pixels of 8 bits"):
        read_volume(tmp_path / "a.png")


@pytest.mark.parametrize("data", [png(1, 1, colour=5), png(1, 1).replace(b"IHDR", b"IHDX")])
def test_f03_other_headers_are_refused(data):
    with pytest.raises(DataError, match="header that can be true"):
        check_png(PATH, data)
