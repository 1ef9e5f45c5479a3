import random
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules.formats import DataError, read_labels, read_volume
from datamodules.formats.tiff import check_tiff

PATH = Path("a.tif")
PIXELS = np.random.default_rng(0).integers(0, 250, (10, 16)).astype(np.uint8)
SHORT, LONG, LONG8 = 3, 4, 16
CODES = {SHORT: "H", LONG: "I", LONG8: "Q"}


def number(value, kind=LONG):
    return kind, [value]


def tiff(order="<", big=False, rows=4, strips=None, following=None, **changes):
    """Write PIXELS by hand as deflate strips of some rows, with tags changed or left out (None)."""
    word = "Q" if big else "I"
    body = bytearray(b"II" if order == "<" else b"MM")
    body += struct.pack(f"{order}HHHQ", 43, 8, 0, 0) if big else struct.pack(f"{order}HI", 42, 0)
    offsets, lengths = [], []
    for strip in strips or [zlib.compress(PIXELS[start : start + rows].tobytes()) for start in range(0, 10, rows)]:
        offsets.append(len(body))
        lengths.append(len(strip))
        body += strip
    table = LONG8 if big else LONG
    tags = {
        256: number(16), 257: number(10), 258: number(8, SHORT), 259: number(8, SHORT), 262: number(1, SHORT),
        273: (table, offsets), 277: number(1, SHORT), 278: number(rows), 279: (table, lengths),
    } | {int(name[1:]): value for name, value in changes.items()}  # fmt: skip
    entries = []
    for tag, (kind, values) in sorted((tag, value) for tag, value in tags.items() if value is not None):
        packed = struct.pack(f"{order}{len(values)}{CODES[kind]}", *values)
        if len(packed) > struct.calcsize(word):
            place = len(body)
            body += packed
            packed = struct.pack(f"{order}{word}", place)
        packed = packed.ljust(8 if big else 4, b"\0")
        entries.append(struct.pack(f"{order}HH{word}", tag, kind, len(values)) + packed)
    first = len(body)
    body += struct.pack(f"{order}{'Q' if big else 'H'}", len(entries)) + b"".join(entries)
    body += struct.pack(f"{order}{word}", following(first) if following else 0)
    struct.pack_into(f"{order}{word}", body, 8 if big else 4, first)
    return bytes(body)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True], ids=["classic", "BigTIFF"])
@pytest.mark.parametrize("rows", [1, 4, 10, 2**32 - 1])
def test_deflate_of_every_arrangement_is_read(tmp_path, order, big, rows):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(order, big, rows))
    np.testing.assert_array_equal(read_volume(path).array[0, :, :, 0], PIXELS.T)


@pytest.mark.parametrize("compression", [1, 5, 8, 32773, 32946])
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3), (40, 50, 4), (700, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_what_opencv_writes_passes(compression, shape, dtype):
    pixels = np.random.default_rng(0).integers(0, 250, shape).astype(dtype)
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_ROWSPERSTRIP, 7]
    check_tiff(PATH, cv2.imencode(".tif", pixels, options)[1].tobytes())


def test_tiles_planes_and_pages_pass():
    tile = zlib.compress(bytes(16 * 16))
    check_tiff(PATH, tiff(strips=[tile], _322=number(16), _323=number(16), _324=number(8), _325=number(len(tile))))
    plane = zlib.compress(PIXELS.tobytes())
    check_tiff(
        PATH, tiff(rows=10, strips=[plane] * 3, _262=number(2, SHORT), _277=number(3, SHORT), _284=number(2, SHORT))
    )
    encoded, pages = cv2.imencodemulti(".tif", [PIXELS] * 3, [cv2.IMWRITE_TIFF_COMPRESSION, 8])
    assert encoded
    check_tiff(PATH, pages.tobytes())


@pytest.mark.parametrize("compression", [8, 32946])
def test_f02_no_flipped_bit_in_a_deflate_strip_gives_a_wrong_pixel_unnoticed(tmp_path, compression):
    path = tmp_path / "a.tif"
    intact = tiff(_259=number(compression, SHORT))
    generator = random.Random(0)
    strips = len(intact) - 9 * 12 - 6 - 2 * 3 * 4  # directory and tables lie behind them
    refused = 0
    for _ in range(200):
        damaged = bytearray(intact)
        damaged[generator.randrange(8, strips)] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read_volume(path).array[0, :, :, 0], PIXELS.T)
        except DataError as error:
            refused += 1
            assert error.path == path  # noqa: PT017 - both outcomes are right, a wrong pixel is not
    assert refused > 190


@pytest.mark.parametrize("big", [False, True])
def test_f01_a_tiff_cut_anywhere_is_refused(big):
    intact = tiff(big=big)
    for length in range(len(intact)):
        with pytest.raises(DataError, match="an undamaged TIFF"):
            check_tiff(PATH, intact[:length])


def test_f02_a_changed_byte_never_gives_another_error():
    intact = tiff()
    generator = random.Random(0)
    for _ in range(2000):
        damaged = bytearray(intact)
        for _ in range(generator.randrange(1, 4)):
            damaged[generator.randrange(2, len(intact))] = generator.choice([0, 1, 255, generator.randrange(256)])
        try:
            check_tiff(PATH, bytes(damaged))
        except DataError as error:
            assert error.path == PATH  # noqa: PT017 - it may pass, as most tags have no checksum


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_257": number(12)}, "does not fit the image"),
        ({"_257": number(13)}, "3 strips, 3 lengths for 4"),
        ({"_256": number(15)}, "does not fit the image"),
        ({"_256": number(0)}, "without pixels"),
        ({"_278": number(0)}, "without pixels"),
        ({"_279": None}, "3 strips, 0 lengths for 3"),
        ({"_273": (LONG, [8, 8, 10**6])}, "behind the file's end"),
        ({"strips": [zlib.compress(bytes(64)), zlib.compress(bytes(64)), b""]}, "ends early"),
        ({"strips": [zlib.compress(bytes(64)), zlib.compress(bytes(63)), zlib.compress(bytes(32))]}, "fit the image"),
        ({"strips": [zlib.compress(bytes(64)), bytes(40), zlib.compress(bytes(32))]}, "undamaged deflate strip"),
    ],
)
def test_f02_directories_that_cannot_be_true_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        check_tiff(PATH, tiff(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_259": number(9, SHORT)}, "deflate, LZW, PackBits or JPEG, found compression 9"),
        ({"_259": None}, "bytes for 64 bytes of pixels"),
        ({"_259": (SHORT, [8, 8])}, "2 values of tag 259"),
        ({"_258": (SHORT, [8, 8])}, "2 values of tag 258"),
        ({"_262": number(0, SHORT)}, "grey .* or RGB, found photometric interpretation 0"),
        ({"_262": number(2, SHORT)}, "photometric interpretation 2 of 1 samples"),
        ({"_262": number(6, SHORT), "_277": number(3, SHORT)}, "photometric interpretation 6"),
        ({"_262": None}, "photometric interpretation -1"),
        ({"_338": number(1, SHORT)}, "photometric interpretation 1 of 1 samples"),
        ({"_339": number(3, SHORT)}, "sample formats"),
        ({"_317": number(3, SHORT)}, "predictor 1 or 2 for this type of pixels"),
        (
            {"_258": number(32, SHORT), "_256": number(4), "_339": number(3, SHORT), "_317": number(1, SHORT)},
            "predictor 3",
        ),
        ({"_316": number(2, SHORT)}, "which is 317 but for one bit"),
        ({"_347": number(3, SHORT)}, "which is 339 but for one bit"),
    ],
)
def test_f02_tags_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        check_tiff(PATH, tiff(**changes))


def test_f02_tags_out_of_order_are_refused():
    intact = tiff()
    first, second = struct.pack("<HHII", 256, LONG, 1, 16), struct.pack("<HHII", 257, LONG, 1, 10)
    assert first + second in intact
    with pytest.raises(DataError, match="tag 256 behind tag 257"):
        check_tiff(PATH, intact.replace(first + second, second + first))


def test_an_empty_facsimile_holds_more_pixels_than_bytes_can_say_otherwise(tmp_path):
    Image.new("1", (12_000, 12_000)).save(tmp_path / "a.tif", compression="group4")
    assert (tmp_path / "a.tif").stat().st_size < 10_000
    labels = read_labels(tmp_path / "a.tif")
    assert labels.shape == (12_000, 12_000, 1)
    assert not labels.array.any()


@pytest.mark.parametrize("orientation", [0, 2, 3, 6, 8])
def test_an_image_that_is_to_be_turned_is_refused(tmp_path, orientation):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(_274=number(orientation, SHORT)))
    with pytest.raises(DataError, match=rf"found orientation {orientation}; save it upright"):
        read_volume(path)
    path.write_bytes(tiff(_274=number(1, SHORT)))
    assert read_volume(path).shape == (16, 10, 1)


@pytest.mark.parametrize(
    "content", [b"", b"II", b"II\x2a\0\0\0\0\0", b"MM\0\x55" + bytes(40), b"II*\0\xff\xff\xff\xff"]
)
def test_f03_headers_that_lead_nowhere_are_refused(content):
    with pytest.raises(DataError, match="an undamaged TIFF"):
        check_tiff(PATH, content)


def chain_of_overlapping_directories():
    size = 1 << 20
    entries = struct.pack("<HHII", 254, 4, 1, 0)
    data = bytearray(struct.pack("<2sHI", b"II", 42, 8)) + bytes(size)
    for start in range(8, size - 40, 6):
        struct.pack_into("<HI", data, start, 0, start + 6)
    return bytes(data) + entries


def many_strips_on_the_same_bytes():
    count, strip = 40_000, zlib.compress(bytes(1 << 20), 0)
    offsets = [8 + number % 1000 for number in range(count)]
    lengths = [len(strip) - number // 1000 for number in range(count)]
    return tiff(rows=1, strips=[strip], _257=number(count), _273=(LONG, offsets), _279=(LONG, lengths))


def a_bomb():
    return tiff(strips=[zlib.compress(bytes(200 << 20), 1)] * 3)


def a_facsimile(width, height, length):
    return tiff(strips=[bytes(length)], _256=number(width), _257=number(height), _278=number(height),
                _258=number(1, SHORT), _259=number(4, SHORT))  # fmt: skip


def a_claim_of_many_pixels():
    return tiff(_256=number(30_000), _257=number(30_000), _278=number(30_000), _259=number(5, SHORT))


@pytest.mark.parametrize(
    "make",
    [
        lambda: tiff(following=lambda first: first),
        lambda: tiff(big=True, following=lambda first: first),
        chain_of_overlapping_directories,
        many_strips_on_the_same_bytes,
        a_bomb,
        a_claim_of_many_pixels,
        lambda: a_facsimile(16, 1000, 124),
        lambda: a_facsimile(1 << 20, 400, 500),
    ],
    ids=["circle", "BigTIFF circle", "chain", "strips", "bomb", "pixels", "facsimile", "wide facsimile"],
)
def test_f33_a_hostile_file_is_refused_soon(make):
    data = make()
    begun = time.perf_counter()
    with pytest.raises(DataError, match=r"an undamaged (TIFF|deflate strip)"):
        check_tiff(PATH, data)
    assert time.perf_counter() - begun < 5
