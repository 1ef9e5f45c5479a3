import itertools
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules.formats import DataError, read_labels, read_volume
from datamodules.formats.tiff_forms import Form, check_decoded

WIDTH, HEIGHT = 7, 6
SHORT, LONG = 3, 4
CODES = {"u": 1, "i": 2, "f": 3}  # sample formats
TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")


def pack(pixels, compression):
    """Compress with deflate, or as PackBits of literal runs."""
    data = pixels.tobytes()
    if compression == 32773:
        return b"".join(bytes([len(data[at : at + 128]) - 1]) + data[at : at + 128] for at in range(0, len(data), 128))
    return zlib.compress(data) if compression == 8 else data


def tiff(pixels, photometric, *, compression=1, planar=1, rows=4, **changes):
    """Write [rows, columns, samples] by hand, in strips or in planes of strips."""
    samples, bits = pixels.shape[2], pixels.itemsize * 8
    planes = [pixels] if planar == 1 else [np.ascontiguousarray(pixels[..., [index]]) for index in range(samples)]
    strips = [pack(plane[start : start + rows], compression) for plane in planes for start in range(0, HEIGHT, rows)]
    tags = {
        256: (LONG, [WIDTH]), 257: (LONG, [HEIGHT]), 258: (SHORT, [bits] * samples), 259: (SHORT, [compression]),
        262: (SHORT, [photometric]), 273: (LONG, [*itertools.accumulate(map(len, strips[:-1]), initial=8)]),
        277: (SHORT, [samples]), 278: (LONG, [rows]), 279: (LONG, [len(strip) for strip in strips]),
        284: (SHORT, [planar]), 339: (SHORT, [CODES[pixels.dtype.kind]] * samples),
    } | {int(name[1:]): value for name, value in changes.items()}  # fmt: skip
    body, entries = struct.pack("<2sHI", b"II", 42, 0) + b"".join(strips), []
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        if len(packed) > 4:
            body, packed = body + packed, struct.pack("<I", len(body))
        entries.append(struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0"))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return body[:4] + struct.pack("<I", len(body)) + body[8:] + directory


def numbers(dtype, samples=1):
    kind = np.dtype(dtype).kind
    whole = np.random.default_rng(samples).integers(1, 100, (HEIGHT, WIDTH, samples))
    return (whole / 7 if kind == "f" else -whole if kind == "i" else whole).astype(dtype)


def read(tmp_path, data):
    """Return [rows, columns, channels]."""
    (tmp_path / "a.tif").write_bytes(data)
    return read_volume(tmp_path / "a.tif").array[..., 0].transpose(2, 1, 0)


@pytest.mark.parametrize("compression", [1, 8, 32773])
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize(
    ("photometric", "samples", "extra"),
    [(0, 1, []), (1, 1, []), (1, 2, [0]), (1, 3, [0, 0]), (1, 4, [0] * 3), (2, 3, []), (2, 4, [0]), (2, 4, [1]),
     (2, 4, [2]), (2, 5, [0, 0]), (5, 4, []), (8, 3, [])],
)  # fmt: skip
def test_f02_samples_of_every_kind_are_read_as_they_are_stored_or_refused(
    tmp_path, compression, planar, photometric, samples, extra
):
    changes = {"_338": (SHORT, extra)} if extra else {}
    for dtype in TYPES:
        pixels = numbers(dtype, samples)
        data = tiff(pixels, photometric, compression=compression, planar=planar, **changes)
        apart = planar == 2 and samples > 1 and pixels.itemsize > 1
        deep = photometric == 1 and samples in (3, 4) and pixels.itemsize >= 4
        colour = photometric == 2 and samples < 5 and not (extra == [2] and pixels.itemsize == 1)
        if not apart and (colour or deep or (photometric, samples) == (1, 1)):
            np.testing.assert_array_equal(read(tmp_path, data), pixels.astype(np.float32))
        else:
            with pytest.raises(
                DataError, match=r"grey \(black is 0\) or RGB|samples of a pixel together|without alpha"
            ):
                read(tmp_path, data)


@pytest.mark.parametrize(("bits", "kind"), [(2, 1), (4, 1), (12, 1), (24, 1), (1, 2), (16, 3), (16, 4), (64, 6)])
def test_f02_samples_of_odd_sizes_are_refused(tmp_path, bits, kind):
    pixels = np.zeros((HEIGHT, -(-WIDTH * bits // 8), 1), np.uint8)
    with pytest.raises(
        DataError, match=rf"expected unsigned samples.* found \[{bits}\] bits of sample format \[{kind}\]"
    ):
        read(tmp_path, tiff(pixels, 1, _258=(SHORT, [bits]), _339=(SHORT, [kind])))


def test_f02_samples_of_several_sizes_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"found \[8, 16\] bits"):
        read(tmp_path, tiff(numbers("u1", 3), 2, _258=(SHORT, [8, 16, 8]), _279=(LONG, [WIDTH * 4 * 3, WIDTH * 2 * 3])))


def test_planes_as_libtiff_reads_them_in_whole_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(DataError, match="separate planes of 16 bits; save it as grey or RGB with one sample after"):
        read(tmp_path, tiff(numbers("u2", 3), 2, planar=2))


@pytest.mark.parametrize("compression", [None, "packbits", "tiff_lzw"])
def test_colours_of_a_palette_come_as_rgb(tmp_path, compression):
    indices = Image.fromarray(numbers("u1")[..., 0])
    indices.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    indices.save(tmp_path / "b.tif", compression=compression)
    np.testing.assert_array_equal(read(tmp_path, (tmp_path / "b.tif").read_bytes()), np.array(indices.convert("RGB")))


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_pixels_of_one_bit_come_as_0_and_255(tmp_path, name):
    mask = numbers("u1")[..., 0] > 50
    Image.fromarray(mask).save(tmp_path / name)
    labels = read_labels(tmp_path / name).array[0, :, :, 0]
    np.testing.assert_array_equal(labels, mask.T * 255)


@pytest.mark.parametrize("compression", ["group3", "group4"])
@pytest.mark.parametrize("photometric", [0, 1])
def test_facsimiles_keep_their_colours(tmp_path, compression, photometric):
    mask = np.random.default_rng(0).random((50, 70)) > 0.7
    image = Image.fromarray(mask)
    image.save(tmp_path / "a.tif", compression=compression, tiffinfo={262: photometric})
    with Image.open(tmp_path / "a.tif") as written:
        assert written.tag_v2[262] == photometric
        truth = np.array(written)  # white is True
    np.testing.assert_array_equal(read_volume(tmp_path / "a.tif").array[0, :, :, 0], truth.T * 255)


def test_f02_a_page_of_another_shape_or_type_than_its_tags_say_is_refused(tmp_path):
    form = Form((6, 7), np.dtype(np.uint8))
    check_decoded(tmp_path, np.zeros((6, 7), np.uint8), form)
    for pixels in (np.zeros((6, 7, 3), np.uint8), np.zeros((7, 6), np.uint8), np.zeros((6, 7), np.int8)):
        with pytest.raises(DataError, match=r"expected uint8 pixels of shape \(6, 7\) .rows, columns, channels"):
            check_decoded(tmp_path, pixels, form)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_opencv_writes_is_read(tmp_path, channels):
    for dtype in (np.uint8, np.uint16, np.float32, np.float64):
        pixels = numbers(dtype, channels)
        assert cv2.imwrite(str(tmp_path / "b.tif"), pixels)
        stored = pixels[..., [2, 1, 0, 3][:channels]] if channels > 1 else pixels
        np.testing.assert_array_equal(read(tmp_path, (tmp_path / "b.tif").read_bytes()), stored.astype(np.float32))
