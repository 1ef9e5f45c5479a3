from fractions import Fraction
from types import SimpleNamespace

import pytest

from datamodules.formats.video_length import cut_short, stated_duration, stated_frames


def file(name="matroska,webm", frames=0, duration=None, tag=None, container_us=None, streams=1):
    stream = SimpleNamespace(
        frames=frames,
        duration=duration,
        time_base=Fraction(1, 100),
        metadata={"DURATION": tag} if tag else {},
        average_rate=Fraction(25),
        guessed_rate=None,
    )
    container = SimpleNamespace(format=SimpleNamespace(name=name), duration=container_us, streams=[stream] * streams)
    return container, stream


@pytest.mark.parametrize(
    ("options", "seconds", "frames"),
    [
        ({"duration": 240}, 2.4, 60),
        ({"duration": 240, "frames": 7}, 2.4, 7),
        ({"tag": "00:01:02.400000000"}, 62.4, 1560),
        ({"tag": "nonsense"}, None, None),
        ({"container_us": 2_400_000}, 2.4, 60),
        ({"container_us": 2_400_000, "streams": 2}, None, None),
    ],
)
def test_the_stated_length_is_that_of_the_video(options, seconds, frames):
    assert stated_duration(*file(**options)) == (None if seconds is None else pytest.approx(seconds))
    assert stated_frames(*file(**options)) == frames


@pytest.mark.parametrize(
    ("options", "rows", "ends_s", "expected"),
    [
        ({"name": "mov,mp4", "frames": 60}, 60, 2.4, None),
        ({"name": "mov,mp4", "frames": 60}, 59, 2.4, "cut short: 60 frames are in the index, 59 in the file"),
        ({"tag": "00:00:02.4"}, 58, 2.32, None),
        ({"tag": "00:00:02.4"}, 30, 1.2, "cut short: 2.40 s are stated, 1.20 s are there"),
        ({"name": "mpegts", "duration": 240}, 30, 1.2, None),
    ],
)
def test_f27_what_ends_early_is_found_where_the_format_tells(tmp_path, options, rows, ends_s, expected):
    assert cut_short(tmp_path, *file(**options), rows, ends_s) == expected


def test_f27_avi_tells_by_its_size(tmp_path):
    path = tmp_path / "a.avi"
    path.write_bytes(b"RIFF" + (92).to_bytes(4, "little") + bytes(92))
    assert cut_short(path, *file("avi", frames=999), 1, 0.0) is None
    path.write_bytes(path.read_bytes()[:-1])
    assert cut_short(path, *file("avi"), 1, 0.0) == "cut short: 100 bytes are stated, 99 are there"
