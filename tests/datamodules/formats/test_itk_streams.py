import bz2
import gzip
import time
import zlib

import numpy as np
import pytest

from datamodules.formats.errors import DataError
from datamodules.formats.itk_streams import read_exactly

CODECS = {"raw": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "zlib": zlib.compress}
NOISE = np.random.default_rng(6).integers(0, 16, 5 << 18).astype(np.uint8).tobytes()


@pytest.mark.parametrize("encoding", CODECS)
@pytest.mark.parametrize("content", [NOISE, bytes(3 << 20), b"x"], ids=["noise", "zeros", "one byte"])
def test_long_streams_are_read_whole(tmp_path, encoding, content):
    path = tmp_path / "data"
    path.write_bytes(b"before" + CODECS[encoding](content))
    assert read_exactly(path, 6, len(content), encoding).tobytes() == content
    with pytest.raises(DataError, match="1 bytes missing"):
        read_exactly(path, 6, len(content) + 1, encoding)
    with pytest.raises(DataError, match="1 bytes too many"):
        read_exactly(path, 6, len(content) - 1, encoding)


@pytest.mark.parametrize("encoding", ["gzip", "bzip2", "zlib"])
@pytest.mark.parametrize("cut", [1, 4, 8, 1 << 19])
def test_f01_a_stream_without_its_end_is_refused(tmp_path, encoding, cut):
    path = tmp_path / "data"
    path.write_bytes(CODECS[encoding](NOISE)[:-cut])
    with pytest.raises(DataError, match="its end is missing"):
        read_exactly(path, 0, len(NOISE), encoding)


@pytest.mark.parametrize("encoding", ["bzip2", "zlib"])
def test_bytes_after_a_stream_are_refused(tmp_path, encoding):
    path = tmp_path / "data"
    for after in (b"\0", CODECS[encoding](b"more")):
        path.write_bytes(CODECS[encoding](b"content") + after)
        with pytest.raises(DataError, match="and nothing after it"):
            read_exactly(path, 0, 7, encoding)


def test_gzip_members_may_follow_each_other(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(b"one") + gzip.compress(b"two"))
    assert read_exactly(path, 0, 6, "gzip").tobytes() == b"onetwo"


@pytest.mark.parametrize("encoding", ["gzip", "bzip2", "zlib"])
def test_a_stream_that_swells_is_left_when_the_claim_is_met(tmp_path, encoding):
    path = tmp_path / "data"
    path.write_bytes(CODECS[encoding](bytes(64 << 20)))
    start = time.process_time()
    with pytest.raises(DataError, match="bytes too many, at the least"):
        read_exactly(path, 0, 1000, encoding)
    assert time.process_time() - start < 0.5  # s


def test_a_lost_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="a readable file"):
        read_exactly(tmp_path / "absent", 0, 1, "raw")
