import gzip
import io
import itertools
import random
import time
from pathlib import Path

import pytest

from datamodules.formats import DataError
from datamodules.formats.gzip_stream import inflated

PATH = Path("a.gz")
CONTENT = random.Random(0).randbytes(3000) * 3


def content(data):
    return b"".join(inflated(PATH, io.BytesIO(data)))


def member(data, level=6):
    return gzip.compress(data, level, mtime=0)  # a test named after it has the same name in every process


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("size", [0, 1, 100, 9000, 5_000_000])
def test_what_was_packed_comes_back(level, size):
    data = (CONTENT * (1 + size // len(CONTENT)))[:size]
    assert content(member(data, level)) == data


def test_members_follow_each_other_and_zeros_the_last():
    data = member(CONTENT) + member(b"") + member(b"more")
    for padded in (data, data + bytes(10), data + bytes(5000)):
        assert content(padded) == CONTENT + b"more"


def test_f01_every_cut_is_refused():
    data = member(CONTENT[:200]) + member(b"more")
    whole = {0, len(member(CONTENT[:200])), len(data)}
    for length in set(range(len(data))) - whole:
        with pytest.raises(DataError, match="gzip stream"):
            content(data[:length])


def test_f02_every_bit_is_tested():
    data = member(CONTENT[:100])
    for place in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        try:
            assert content(bytes(damaged)) == CONTENT[:100]  # a time stamp changes nothing
        except DataError as error:
            assert error.path == PATH  # noqa: PT017 - both outcomes are right, other content is not


@pytest.mark.parametrize("data", [b"", b"\x1f", b"<html>", bytes(100), member(b"a") + b"garbage"])
def test_f03_what_is_no_gzip_is_refused(data):
    with pytest.raises(DataError, match="gzip stream"):
        content(data)


def test_f33_a_bomb_is_inflated_no_further_than_it_is_asked_for():
    bomb = member(bytes(64 << 20), 9)
    pieces = inflated(PATH, io.BytesIO(bomb))
    assert [len(piece) for piece in itertools.islice(pieces, 3)][-1] <= 1 << 20


def test_f33_very_many_members_take_time_in_proportion():
    begun = time.perf_counter()
    assert content(member(b"") * 100_000) == b""
    assert time.perf_counter() - begun < 10
