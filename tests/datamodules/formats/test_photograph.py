import struct

import cv2
import numpy as np
import pytest

from datamodules.formats import photograph
from datamodules.formats.errors import DataError


@pytest.fixture
def picture():
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def encoded(suffix, image, *options):
    done, data = cv2.imencode(suffix, image, list(options))
    assert done
    return data.tobytes()


def save(folder, suffix, image, *options):
    path = folder / f"a{suffix}"
    path.write_bytes(encoded(suffix, image, *options))
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_colours_come_as_rgb(tmp_path, picture, suffix):
    np.testing.assert_array_equal(photograph.read(save(tmp_path, suffix, picture[..., ::-1])), picture)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_come_close(tmp_path, picture, suffix):
    read = photograph.read(save(tmp_path, suffix, picture[..., ::-1]))
    assert np.abs(read.astype(int) - picture).mean() < 8


def test_grey_becomes_three_equal_channels(tmp_path, picture):
    read = photograph.read(save(tmp_path, ".png", picture[..., 0]))
    np.testing.assert_array_equal(read, np.repeat(picture[..., :1], 3, axis=2))


def test_alpha_is_dropped(tmp_path, picture):
    see_through = np.dstack([picture[..., ::-1], np.zeros((40, 60), np.uint8)])
    np.testing.assert_array_equal(photograph.read(save(tmp_path, ".png", see_through)), picture)


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_scaled_alike_whatever_they_span(tmp_path, channels):
    deep = np.tile(np.array([0, 128, 129, 257 * 100, 65535], np.uint16)[None, :, None], (4, 1, channels))
    read = photograph.read(save(tmp_path, ".png", deep))
    assert read.dtype == np.uint8
    assert read[0, :, 0].tolist() == [0, 0, 1, 100, 255]
    dark = photograph.read(save(tmp_path, ".png", deep // 257))
    assert dark.max() == 1


def test_an_exif_orientation_is_not_applied(tmp_path, picture):
    plain = encoded(".jpg", picture)
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:])
    assert cv2.imread(str(path)).shape == (60, 40, 3)  # OpenCV turns it, unless told not to
    assert photograph.read(path).shape == (40, 60, 3)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_a_truncated_jpeg_is_refused(tmp_path, picture, share, progressive):
    path = save(tmp_path, ".jpg", picture, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"a\.jpg: expected a JPEG with its end marker.*cut short"):
        photograph.read(path)


def test_the_end_of_a_preview_is_not_taken_for_the_images(tmp_path, picture):
    whole, preview = encoded(".jpg", picture), encoded(".jpg", picture[::4, ::4])
    with_preview = whole[:2] + b"\xff\xff\xe1" + struct.pack(">H", len(preview) + 2) + preview + whole[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(with_preview)
    assert photograph.read(path).shape == (40, 60, 3)
    path.write_bytes(with_preview[:-40])
    with pytest.raises(DataError, match="end marker"):
        photograph.read(path)


def test_bytes_behind_a_jpeg_do_no_harm(tmp_path, picture):
    path = save(tmp_path, ".jpg", picture)
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    assert photograph.read(path).shape == (40, 60, 3)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tiff"])
@pytest.mark.parametrize("left_out", [1, 100, 1000])
def test_other_truncated_files_are_refused(tmp_path, picture, suffix, left_out):
    path = save(tmp_path, suffix, picture)
    path.write_bytes(path.read_bytes()[:-left_out])
    with pytest.raises(DataError, match="fetch or export"):
        photograph.read(path)


@pytest.mark.parametrize("data", [b"", b"<html>not found</html>", b"\xff\xd8\xff", b"RIFF", b"BM", b"II*\0"])
def test_what_is_no_image_is_refused(tmp_path, data):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(DataError, match="fetch or export"):
        photograph.read(path)


def test_a_format_is_known_by_its_content(tmp_path, picture):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(".png", picture[..., ::-1]))
    np.testing.assert_array_equal(photograph.read(path), picture)


def test_floats_and_several_pages_are_refused(tmp_path, picture):
    with pytest.raises(DataError, match="8 or 16 bits per channel, found float32"):
        photograph.read(save(tmp_path, ".tiff", picture.astype(np.float32)))
    done, data = cv2.imencodemulti(".tiff", [picture, picture])
    assert done
    path = tmp_path / "stack.tiff"
    path.write_bytes(data.tobytes())
    with pytest.raises(DataError, match="expected one image, found 2 pages"):
        photograph.read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.png.*restore it"):
        photograph.read(tmp_path / "absent.png")
