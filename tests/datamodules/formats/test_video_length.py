import re

import numpy as np
import pytest

from datamodules.formats.video_length import cut_short, stated_duration, stated_frames
from datamodules.formats.video_packets import open_container
from datamodules.formats.video_writer import VideoWriter


def video(path, codec="libx264"):
    with VideoWriter(path, 64, 48, 25, codec=codec) as writer:
        for index in range(50):
            writer.write(np.full((48, 64, 3), 4 * index, np.uint8), index / 25)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_the_stated_length_is_that_of_the_video(tmp_path, suffix):
    container, stream = open_container(video(tmp_path / f"a{suffix}"))
    with container:
        assert stated_duration(container, stream) == pytest.approx(2.0, abs=0.05)
        assert stated_frames(container, stream) == pytest.approx(50, abs=1)


@pytest.mark.parametrize(
    ("suffix", "rows", "ends_s", "expected"),
    [
        (".mp4", 50, 2.0, None),
        (".mp4", 49, 1.96, "cut short: 50 frames are in the index, 49 in the file"),
        (".mkv", 48, 1.92, None),
        (".mkv", 30, 1.2, r"cut short: 2\.0\d s are stated, 1\.20 s are there"),
        (".ts", 30, 1.2, None),
    ],
)
def test_f27_what_ends_early_is_found_where_the_format_tells(tmp_path, suffix, rows, ends_s, expected):
    path = video(tmp_path / f"a{suffix}")
    container, stream = open_container(path)
    with container:
        found = cut_short(path, container, stream, rows, ends_s)
    assert found is None if expected is None else re.fullmatch(expected, found)


def test_f27_avi_tells_by_its_size(tmp_path):
    path = video(tmp_path / "a.avi", "mpeg4")
    size = path.stat().st_size
    container, stream = open_container(path)
    with container:
        assert cut_short(path, container, stream, 1, 0.04) is None
        path.write_bytes(path.read_bytes()[:-1])
        found = cut_short(path, container, stream, 50, 2.0)
    assert found == f"cut short: {size} bytes are stated, {size - 1} are there"
