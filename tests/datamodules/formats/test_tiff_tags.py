from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules.formats import DataError, image
from datamodules.formats.tiff_tags import check_numbers

PATH = Path("a.tif")
PIXELS = np.random.default_rng(0).integers(0, 250, (10, 16)).astype(np.uint8)
PICTURES = {
    "grey": PIXELS,
    "deep": PIXELS.astype(np.uint16) * np.uint16(200),
    "real": PIXELS.astype(np.float32) / np.float32(7),
    "signed": PIXELS.astype(np.int32) - 100,
    "colour": np.random.default_rng(0).integers(0, 250, (6, 7, 3)).astype(np.uint8),
}


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("pages", [1, 2])
def test_f02_no_flipped_bit_of_a_whole_deflate_tiff_gives_a_wrong_pixel_unnoticed(tmp_path, kind, pages):
    path = tmp_path / "a.tif"
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 8, cv2.IMWRITE_TIFF_ROWSPERSTRIP, 4]
    assert cv2.imwritemulti(str(path), [PICTURES[kind]] * pages, options)
    intact, truth = path.read_bytes(), image.read_pages(path)
    refused = 0
    for place in range(0, 8 * len(intact), 11):
        damaged = bytearray(intact)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = image.read_pages(path)
        except DataError:
            refused += 1
            continue
        assert [page.dtype for page in found] == [page.dtype for page in truth]
        np.testing.assert_array_equal(found, truth)
    assert refused > 200


def test_f02_numbers_of_another_type_than_the_tag_says_are_refused():
    real, whole = np.array([0, 1.5, -2], np.float32), np.array([0, 3, -7], np.int32)
    for pixels in (real, whole, real * 0, whole.astype(np.float64), whole.astype(np.uint8)):
        check_numbers(PATH, pixels)
    for pixels in (real.view(np.int32), real.view(np.uint32), whole.view(np.float32), np.abs(whole).view(np.float32)):
        with pytest.raises(DataError, match="look like numbers of another type"):
            check_numbers(PATH, pixels)
