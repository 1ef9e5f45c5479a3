from collections import Counter
from fractions import Fraction

import av
import numpy as np
import pytest

from datamodules.formats.video import open_video

VARIABLE = [0, 1, 2, 7, 8, 30, 31, 32, 60, 61, 63, 90, 100, 101, 140, 141, 160, 161, 190, 191]


def encode(path, stamps, codec, *, sound=False, rate=25):
    """Write frames at stamps in steps of the rate."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, "yuv420p", {"g": "6"}
        track = container.add_stream("libopus", rate=48000, layout="mono") if sound else None
        for index, stamp in enumerate(stamps):
            noise = np.random.default_rng(index).integers(0, 255, (48, 64, 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, rate)
            container.mux(stream.encode(frame))
            if track:
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), format="fltp", layout="mono")
                samples.sample_rate, samples.pts = 48000, index * 1920
                container.mux(track.encode(samples))
        container.mux(stream.encode(None))
    return path


def wipe(path, index):
    """Overwrite a packet of the video by zeros, with its head, so that the demuxer finds the next cluster at best."""
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][index]
    data = bytearray(path.read_bytes())
    data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    return path


def read(path):
    with open_video(path) as video:
        return video, list(video)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "sound"),
    [
        ("a.webm", "libvpx-vp9", 25, False),
        ("a.mkv", "libx264", 25, False),
        ("a.mkv", "libx264", 30, False),
        ("a.mkv", "libx264", 25, True),
    ],
)
def test_f27_packets_lost_in_a_hole_keep_their_rows(tmp_path, name, codec, rate, sound):
    path = encode(tmp_path / name, range(90), codec, sound=sound, rate=rate)
    sound_video, whole = read(path)
    assert sound_video.messages == []
    video, frames = read(wipe(path, 20))
    counts = Counter(frame.status for frame in frames)
    assert counts["unreadable"] >= 1
    assert video.messages == [f"{counts['unreadable']} of 90 frames are unreadable"]
    np.testing.assert_allclose([f.time_s for f in frames], [f.time_s for f in whole], atol=1.01e-3)
    last_bad = max(frame.index for frame in frames if frame.image is None)
    assert last_bad < 80
    for index in (*range(15), *range(last_bad + 1, 90)):
        np.testing.assert_array_equal(frames[index].image, whole[index].image)


def test_f25_a_variable_rate_is_not_taken_for_a_hole(tmp_path):
    for sound in (False, True):
        video, frames = read(encode(tmp_path / "a.mkv", VARIABLE, "libx264", sound=sound))
        assert len(frames) == len(VARIABLE)
        assert video.messages == []
        assert not video.truncated


def test_f27_frames_lost_at_a_variable_rate_are_counted_by_their_bytes(tmp_path):
    path = encode(tmp_path / "a.mkv", VARIABLE, "libx264")
    video, frames = read(wipe(path, 4))
    lost = len(VARIABLE) - len(frames)
    assert lost >= 1
    assert video.truncated
    assert "frames are lost after 0.280 s" in video.messages[0]
    assert video.info.frames_stated - len(frames) == pytest.approx(lost, abs=2)
