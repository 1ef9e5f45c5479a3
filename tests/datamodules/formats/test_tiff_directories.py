import struct
from pathlib import Path

import pytest

from datamodules.formats import DataError
from datamodules.formats.tiff_directories import Reader

PATH = Path("a.tif")
BYTE, TEXT, SHORT, LONG = 1, 2, 3, 4
CODES = {BYTE: "B", SHORT: "H", LONG: "I"}


def tiff(*pages, order="<", big=False):
    """Write directories of tags {number: (type, values)}, the values of each behind it."""
    word, head = ("Q", "Q") if big else ("I", "H")
    body = bytearray(b"II" if order == "<" else b"MM")
    body += struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else struct.pack(f"{order}HI", 42, 8)
    for number, tags in enumerate(pages):
        size = struct.calcsize(f"<{head}{word}") + len(tags) * (20 if big else 12)
        place, values, entries = len(body) + size, b"", b""
        for tag, (kind, content) in tags.items():
            packed = content if kind == TEXT else struct.pack(f"{order}{len(content)}{CODES[kind]}", *content)
            entries += struct.pack(f"{order}HH{word}", tag, kind, len(content))
            if len(packed) > struct.calcsize(word):
                entries, values = entries + struct.pack(f"{order}{word}", place + len(values)), values + packed
            else:
                entries += packed.ljust(8 if big else 4, b"\0")
        following = place + len(values) if number + 1 < len(pages) else 0
        body += struct.pack(f"{order}{head}", len(tags)) + entries + struct.pack(f"{order}{word}", following) + values
    return bytes(body)


def image(width=7, height=10, rows=4, bits=8, **changes):
    tags = {
        256: (SHORT, [width]), 257: (SHORT, [height]), 258: (SHORT, [bits]), 259: (SHORT, [1]),
        273: (LONG, [8, 36, 64]), 278: (SHORT, [rows]), 279: (LONG, [28, 28, 14]),
    } | {int(name[1:]): value for name, value in changes.items()}  # fmt: skip
    return dict(sorted(tags.items()))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True], ids=["classic", "BigTIFF"])
def test_pages_come_in_order_with_their_strips_and_texts(order, big):
    second = image(_270=(TEXT, b"the second page\0"))
    pages = list(Reader(PATH, tiff(image(), second, order=order, big=big)).pages())
    assert [page.description for page in pages] == ["", "the second page\0"]
    for page in pages:
        assert page.spans() == [(8, 28), (36, 28), (64, 14)]
        assert [page.strip_bytes(index) for index in range(3)] == [(28, 28), (28, 28), (14, 28)]
        assert [page.strip_rows(index) for index in range(3)] == [4, 4, 2]
        assert page.is_plain
        assert not page.is_deflate
        assert not page.is_fax
        assert not page.is_tiled


@pytest.mark.parametrize("big", [False, True], ids=["classic", "BigTIFF"])
def test_the_reach_is_the_end_of_what_directories_name(big):
    data = tiff(image(_270=(TEXT, b"a text that stands behind the directory\0")), big=big)
    reader = Reader(PATH, data + bytes(100))
    assert len(list(reader.pages())) == 1
    assert reader.reach == len(data)
    reader.extend(len(data) + 50)
    reader.extend(3)
    assert reader.reach == len(data) + 50


def test_rows_of_bits_take_whole_bytes():
    (page,) = Reader(PATH, tiff(image(width=9, bits=1))).pages()
    assert page.strip_bytes(0) == (8, 8)
    assert page.pixel_bytes == 24


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (image(width=0), "without pixels"),
        (image(rows=0), "without pixels"),
        (image(rows=3), "3 strips, 3 lengths for 4"),
        (image(_279=(LONG, [28, 28])), "3 strips, 2 lengths for 3"),
    ],
)
def test_f02_strips_that_do_not_make_up_the_image_are_refused(page, found):
    read = next(Reader(PATH, tiff(page)).pages())
    with pytest.raises(DataError, match=f"expected an undamaged TIFF, found .*{found}"):
        read.spans()


@pytest.mark.parametrize(("tag", "kind"), [(270, TEXT), (273, LONG)])
def test_f01_values_behind_the_end_are_refused(tag, kind):
    data = tiff(image(_270=(TEXT, b"a long text\0")))
    place = data.index(struct.pack("<HH", tag, kind)) + 8
    broken = data[:place] + struct.pack("<I", len(data) - 3) + data[place + 4 :]
    with pytest.raises(DataError, match=f"values of tag {tag} behind the file's end"):
        next(Reader(PATH, broken).pages())


def test_f33_directories_in_a_circle_are_refused():
    data = bytearray(tiff(image(), image()))
    following = data.rindex(struct.pack("<HHI", 279, LONG, 3)) + 12
    data[following : following + 4] = struct.pack("<I", 8)
    with pytest.raises(DataError, match="directories that overlap or never end"):
        list(Reader(PATH, bytes(data)).pages())
