"""Videos with holes, without an end, and files that are none."""

import av
import numpy as np
import pytest

from datamodules.formats import DataError
from datamodules.formats.video import open_video


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mp4", "mpeg4"), ("a.mov", "mjpeg")])
def test_f27_frames_in_damaged_bytes_keep_their_rows(tmp_path, name, codec, clips):
    clean = clips.encode(
        tmp_path / f"clean_{name}", range(60), codec=codec, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p"
    )
    path = tmp_path / name
    path.write_bytes(clean.read_bytes())
    video, frames = clips.read(clips.blank(path, 0.5, 0.55))
    bad = [frame.index for frame in frames if frame.status == "unreadable"]
    assert 1 <= len(bad) < 40
    assert all(frames[index].image is None for index in bad)
    assert f"{len(bad)} of {len(frames)} frames are unreadable" in video.messages
    assert len(frames) == 60
    _, whole = clips.read(clean)
    np.testing.assert_allclose([f.time_s for f in frames[: bad[0]]], [f.time_s for f in whole[: bad[0]]])
    assert clips.shown(frames[: bad[0]]) == clips.shown(whole[: bad[0]])
    assert frames[-1].time_s == whole[-1].time_s
    assert clips.shown(frames[-1:]) == clips.shown(whole[-1:])


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "bf"), [("mjpeg", "yuvj420p", None), ("mpeg4", "yuv420p", None), ("libx264", "yuv420p", "0")]
)
def test_f27_frames_after_a_hole_in_avi_keep_their_times(tmp_path, codec, pix_fmt, bf, clips):
    options = {"bf": bf} if bf else {}
    path = clips.encode(tmp_path / "a.avi", range(60), codec=codec, pix_fmt=pix_fmt, **options)
    _, whole = clips.read(path)
    video, frames = clips.read(clips.blank(path, 0.6, 0.63))
    bad = [frame.index for frame in frames if frame.image is None]
    assert 1 <= len(bad) < 20
    assert bad[-1] < 45
    assert video.messages == [f"{len(bad)} of 60 frames are unreadable"]
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(60) / 25, atol=1e-9)
    for index in (*range(bad[0]), *range(bad[-1] + 12, 60)):  # two groups of pictures later, all is well
        np.testing.assert_array_equal(frames[index].image, whole[index].image)


def test_f27_avi_that_lost_its_index_counts_what_is_missing(tmp_path, clips):
    path = clips.encode(tmp_path / "a.avi", range(60), codec="mpeg4")
    path.write_bytes(path.read_bytes().replace(b"idx1", b"JUNK"))
    video, frames = clips.read(path)
    assert (len(frames), video.messages, video.truncated) == (60, [], False)
    video, frames = clips.read(clips.blank(path, 0.5, 0.53))
    there = len(frames)
    assert there < 60
    assert video.messages[-1] == f"cut short: 60 frames are stated and no index tells of them, {there} are there"
    assert video.truncated
    assert video.info.frames_stated == 60


def test_f27_an_index_of_avi_that_is_damaged_itself_is_not_used(tmp_path, clips):
    path = clips.encode(tmp_path / "a.avi", range(60), codec="mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"idx1") + 8 + 5 * 16  # the sixth entry
    data[place : place + 32] = bytes(32)
    path.write_bytes(data)
    video, frames = clips.read(path)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(60) / 25, atol=1e-9)
    assert clips.shown(frames) == [index % 30 for index in range(60)]
    assert video.messages == []


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_f27_a_packet_that_decodes_to_nothing_keeps_its_row(tmp_path, codec, clips):
    path = clips.encode(tmp_path / "a.mp4", range(60), codec=codec, **({"bf": "0"} if codec == "libx264" else {}))
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][13]
    data = bytearray(path.read_bytes())
    data[packet.pos + 4 : packet.pos + packet.size] = bytes(packet.size - 4)
    path.write_bytes(data)
    video, frames = clips.read(path)
    bad = [frame.index for frame in frames if frame.status == "unreadable"]
    assert 13 in bad
    assert len(frames) == 60
    assert video.messages == [f"{len(bad)} of 60 frames are unreadable"]


def test_f27_a_long_gap_is_told_in_formats_that_do_not_account_for_packets(tmp_path, clips):
    video, frames = clips.read(clips.encode(tmp_path / "a.ts", [*range(20), *range(40, 60)]))
    assert {frame.status for frame in frames} == {"ok"}
    assert video.messages == ["frames may be lost after 0.760 s, where the next comes 0.840 s later"]


def test_f27_frames_that_leave_no_packet_are_told_by_their_gap(tmp_path, clips):
    video, frames = clips.read(clips.blank(clips.encode(tmp_path / "a.ts", range(60), qp="5"), 0.5, 0.55))
    steps = np.diff([frame.time_s for frame in frames])
    assert len(frames) < 60
    at = frames[int(steps.argmax())].time_s
    assert f"frames may be lost after {at:.3f} s, where the next comes {steps.max():.3f} s later" in video.messages


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
def test_f27_a_truncated_file_gives_what_is_left(tmp_path, name, codec, clips):
    path = clips.encode(tmp_path / name, range(60), codec=codec, faststart=name.endswith("mp4"))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    video, frames = clips.read(path)
    good = [frame for frame in frames if frame.image is not None]
    assert 8 < len(good) < 60
    assert len(frames) - len(good) <= 1
    assert clips.shown(good) == [index % 30 for index in range(len(good))]
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(len(frames)) / 25, atol=2e-3)
    assert video.truncated
    assert video.messages[-1].startswith("cut short: ")


def test_f27_an_mp4_that_has_lost_its_index_is_refused(tmp_path, clips):
    path = clips.encode(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"a\.mp4: expected a video.*lost its index"):
        open_video(path)


def test_f28_sound_alone_is_refused(tmp_path, clips):
    with av.open(str(tmp_path / "b.mp4"), "w") as container:
        clips.encode_silence(container, container.add_stream("aac", rate=48000, layout="mono"))
    with pytest.raises(DataError, match="1 sound tracks and no picture"):
        open_video(tmp_path / "b.mp4")


def test_f28_a_video_without_a_frame_is_refused(tmp_path, clips):
    path = clips.blank(clips.encode(tmp_path / "a.mp4", [0], faststart=True), 0.9, 1.0)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4] + bytes(len(data) - data.index(b"mdat") - 4))
    with pytest.raises(DataError, match=r"a\.mp4: expected frames, found 1 that do not decode"):
        open_video(path)


@pytest.mark.parametrize("content", [b"", b"hello\n" * 200, b"ffconcat version 1.0\nfile x.mp4\n", b"#EXTM3U\nx.mp4\n"])
@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.m3u8"])
def test_f28_what_is_no_video_is_refused(tmp_path, name, content, clips):
    clips.encode(tmp_path / "x.mp4", [0])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="expected a video"):
        open_video(tmp_path / name)
