import re
from fractions import Fraction

import av
import numpy as np
import pytest

from datamodules.formats.video_length import cut_short, stated_duration, stated_frames
from datamodules.formats.video_packets import PacketDecoder, open_container


def video(path, codec="libx264", *, begins_s=0.0, faststart=False):
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, "yuv420p", {"bf": "0"}
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * index, np.uint8), "rgb24")
            frame.pts, frame.time_base = index + round(25 * begins_s), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_the_stated_length_is_that_of_the_video(tmp_path, suffix):
    container, stream = open_container(video(tmp_path / f"a{suffix}"))
    with container:
        assert stated_duration(container, stream) == pytest.approx(2.0, abs=0.05)
        assert stated_frames(container, stream) == pytest.approx(50, abs=1)


def finished(path):
    """A decoder that has read its file to the end."""
    decoder = PacketDecoder(path)
    for _ in decoder:
        pass
    return decoder


@pytest.mark.parametrize(
    ("suffix", "kept", "ends_s", "expected"),
    [
        (".mp4", 1.0, 0.0, None),
        (".mp4", 0.9, 2.0, r"cut short: 50 frames are in the index, \d\d in the file"),
        (".mkv", 1.0, 1.92, None),
        (".mkv", 1.0, 1.2, r"cut short: 2\.0\d s are stated, 1\.20 s are there"),
        (".ts", 0.5, 1.2, None),
    ],
)
def test_f27_what_ends_early_is_found_where_the_format_tells(tmp_path, suffix, kept, ends_s, expected):
    path = video(tmp_path / f"a{suffix}", faststart=suffix == ".mp4")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    decoder = finished(path)
    found = cut_short(path, decoder, ends_s)
    decoder.close()
    assert found is None if expected is None else re.fullmatch(expected, found)


def test_f27_avi_tells_by_its_size(tmp_path):
    path = video(tmp_path / "a.avi", "mpeg4")
    size = path.stat().st_size
    decoder = finished(path)
    assert cut_short(path, decoder, 0.04) is None
    path.write_bytes(path.read_bytes()[:-1])
    assert cut_short(path, decoder, 2.0) == f"cut short: {size} bytes are stated, {size - 1} are there"
    decoder.close()


def test_f25_a_trimmed_mp4_states_the_frames_that_it_shows(tmp_path):
    path = video(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 12  # after the version and the count of entries: a duration in ms
    assert int.from_bytes(data[place : place + 4], "big") == 2000
    data[place : place + 4] = (1000).to_bytes(4, "big")
    path.write_bytes(data)
    decoder = finished(path)
    assert decoder.stream.frames == 50
    assert stated_frames(decoder.container, decoder.stream) == 25
    assert cut_short(path, decoder, 1.0) is None
    decoder.close()


def test_f27_a_length_that_counts_from_0_is_made_less_by_the_start(tmp_path):
    path = video(tmp_path / "a.mkv", begins_s=4.0)
    container, stream = open_container(path)
    with container:
        assert stream.start_time == 4000
        assert stated_duration(container, stream) == pytest.approx(2.0, abs=0.05)
        assert stated_frames(container, stream) == pytest.approx(50, abs=1)
