import random

import cv2
import numpy as np
import pytest

from datamodules.formats import DataError, ReadOptions, image, read_labels, read_volume, write_labels


def picture(shape=(6, 9), dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)


def save(path, pixels):
    encoded, data = cv2.imencode(path.suffix, pixels)
    assert encoded
    path.write_bytes(data.tobytes())
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_grey_pictures_come_as_column_row(tmp_path, suffix):
    pixels = picture()
    volume = read_volume(save(tmp_path / f"a{suffix}", pixels))
    assert volume.array.shape == (1, 9, 6, 1)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array[0, :, :, 0], pixels.T)
    np.testing.assert_array_equal(volume.affine, np.eye(4))


@pytest.mark.parametrize(("suffix", "dtype"), [(".png", np.uint16), (".tif", np.uint16), (".tif", np.float32)])
def test_deep_pictures_keep_their_values(tmp_path, suffix, dtype):
    pixels = picture(dtype=dtype) * dtype(100)
    volume = read_volume(save(tmp_path / f"a{suffix}", pixels))
    np.testing.assert_array_equal(volume.array[0, :, :, 0], pixels.T)


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_comes_as_rgb(tmp_path, channels):
    pixels = picture((6, 9, channels))
    volume = read_volume(save(tmp_path / "a.png", pixels))
    assert volume.array.shape == (channels, 9, 6, 1)
    np.testing.assert_array_equal(volume.array[:3, :, :, 0], pixels[:, :, 2::-1].transpose(2, 1, 0))


def test_labels_must_be_one_channel_of_integers(tmp_path):
    with pytest.raises(DataError, match="3 channels; save the labels as a grey image"):
        read_labels(save(tmp_path / "a.png", picture((6, 9, 3))))
    with pytest.raises(DataError, match="integer label values"):
        read_labels(save(tmp_path / "a.tif", picture(dtype=np.float32) + np.float32(0.5)))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp"])
def test_labels_come_back(tmp_path, suffix):
    labels = picture((9, 6, 1))
    write_labels(tmp_path / f"a{suffix}", labels, np.eye(4))
    back = read_labels(tmp_path / f"a{suffix}")
    assert back.array.dtype == np.uint8
    np.testing.assert_array_equal(back.array[0], labels)


def test_labels_over_255_come_back_or_are_refused(tmp_path):
    labels = picture((9, 6, 1), np.uint16) * np.uint16(10)
    for suffix in (".png", ".tif"):
        write_labels(tmp_path / f"a{suffix}", labels, np.eye(4))
        np.testing.assert_array_equal(read_labels(tmp_path / f"a{suffix}").array[0], labels)
    with pytest.raises(DataError, match="8-bit values for BMP"):
        write_labels(tmp_path / "a.bmp", labels, np.eye(4))


@pytest.mark.parametrize("shape", [(9, 6, 2), (2, 9, 6, 1)])
def test_more_than_one_slice_does_not_go_into_an_image(tmp_path, shape):
    with pytest.raises(DataError, match="write NIfTI"):
        write_labels(tmp_path / "a.png", np.zeros(shape, np.uint8), np.eye(4))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.9])
def test_f01_truncated_images_are_refused(tmp_path, suffix, share):
    path = save(tmp_path / f"a{suffix}", picture((40, 50)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=rf"a{suffix}"):
        read_volume(path)


def test_f02_no_flipped_bit_of_a_png_gives_a_wrong_pixel_unnoticed(tmp_path):
    path = save(tmp_path / "a.png", picture((12, 12)))
    intact, truth = path.read_bytes(), read_volume(path).array
    generator = random.Random(0)
    for _ in range(300):
        damaged = bytearray(intact)
        damaged[generator.randrange(len(intact))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read_volume(path).array, truth)
        except DataError as error:
            assert error.path == path  # noqa: PT017 - both outcomes are right, a wrong pixel is not


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\0" * 100])
def test_f03_not_an_image_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a{suffix}"):
        read_volume(path)


def test_f03_another_format_or_bytes_behind_the_end_are_refused(tmp_path):
    path = save(tmp_path / "a.png", picture())
    (tmp_path / "b.bmp").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"b\.bmp"):
        read_volume(tmp_path / "b.bmp")
    path.write_bytes(path.read_bytes() + b"garbage")
    with pytest.raises(DataError, match="nothing behind the PNG's end"):
        read_volume(path)


def test_f09_a_stack_of_pages_is_refused_naming_the_option(tmp_path):
    path = tmp_path / "stack.tif"
    pages = [picture(seed=seed) for seed in range(3)]
    assert cv2.imwritemulti(str(path), pages)
    with pytest.raises(DataError, match=r"3 pages; choose one with --volume 0 to 2"):
        read_volume(path)
    np.testing.assert_array_equal(image.read_pixels(path, 1)[0, :, :, 0], pages[1].T)
    with pytest.raises(DataError, match="choose one that exists"):
        read_volume(path, ReadOptions(volume_index=3))


@pytest.mark.shared_data
def test_real_microscopy(shared_data):
    folder = shared_data / "em_membranes"
    for path in sorted((folder / "images").glob("*.png"))[:3]:
        assert read_volume(path).array.shape == (1, 512, 512, 1)
        assert set(np.unique(read_labels(folder / "masks" / path.name).array)) == {0, 255}


def test_f01_a_png_without_its_last_chunk_is_refused(tmp_path):
    path = save(tmp_path / "a.png", picture())
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="ends with IEND"):
        read_volume(path)


def test_f02_a_tiff_that_claims_33_channels_is_refused(tmp_path):
    path = save(tmp_path / "a.tif", picture())
    one_sample = bytes.fromhex("1501 0300 01000000 0100")  # SamplesPerPixel, SHORT, one value, 1
    assert one_sample in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(one_sample, one_sample[:-2] + b"\x21\0"))
    with pytest.raises(DataError, match="photometric interpretation 1 of 33 samples"):
        read_volume(path)


def test_what_cannot_be_opened_or_decoded_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"absent\.png: expected a readable file"):
        read_volume(tmp_path / "absent.png")
