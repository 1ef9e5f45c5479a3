import cv2
import numpy as np
import pytest

from datamodules.formats import DataError
from datamodules.formats.video import open_video


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_f25_a_variable_frame_rate_keeps_its_presentation_times(tmp_path, suffix, clips):
    stamps = [0, 1, 2, 7, 8, 30, 31, 32, 100, 101, 140, 141]
    video, frames = clips.read(clips.encode(tmp_path / f"a{suffix}", stamps))
    assert [frame.index for frame in frames] == list(range(12))
    assert clips.shown(frames) == list(range(12))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(stamps) / 25, atol=1e-3)
    assert {frame.status for frame in frames} == {"ok"}
    assert not video.messages
    assert not video.truncated


def test_f25_a_wrong_count_of_frames_in_the_header_changes_nothing(tmp_path, clips):
    path = clips.encode(tmp_path / "a.avi", codec="mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"strh") + 8 + 32  # dwLength of the stream's header
    assert int.from_bytes(data[place : place + 4], "little") == 12
    data[place : place + 4] = (999).to_bytes(4, "little")
    path.write_bytes(data)
    video, frames = clips.read(path)
    assert video.info.frames_stated == 999
    assert clips.shown(frames) == list(range(12))
    assert video.messages == ["the file states 999 frames, 12 were found"]
    assert not video.truncated


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_f25_avi_with_frames_in_the_order_of_decoding_is_timed_in_that_of_showing(tmp_path, codec, clips):
    _, frames = clips.read(clips.encode(tmp_path / "a.avi", codec=codec, bf="2"))
    assert clips.shown(frames) == list(range(12))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 25, atol=1e-9)


def test_f25_a_stream_without_stamps_has_frames_without_times(tmp_path, clips):
    video, frames = clips.read(clips.encode(tmp_path / "a.h264"))
    assert clips.shown(frames) == list(range(12))
    assert {(frame.time_s, frame.status) for frame in frames} == {(None, "no_time")}
    assert video.messages == ["12 of 12 frames have no presentation stamp, and so no time"]


def test_f25_time_begins_with_the_stream(tmp_path, clips):
    video, frames = clips.read(clips.encode(tmp_path / "a.ts"))
    assert frames[0].time_s == 0.0
    assert video.info.start_s > 0.05
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 25, atol=1e-4)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_f26_rotation_is_applied_once(tmp_path, rotation, clips):
    path = clips.encode(tmp_path / "a.mp4", rotation=rotation)
    video, frames = clips.read(path)
    upright = frames[0].image
    assert video.info.rotation_degrees == rotation
    assert (video.info.width, video.info.height) == ((48, 64) if rotation % 180 else (64, 48))
    assert upright.shape == (video.info.height, video.info.width, 3)
    stored = np.rot90(upright, -rotation // 90)
    assert stored[:16, :16].min() > 200
    assert stored[:, 32:].max() < 100
    # a second opinion on the sense of the turn
    capture = cv2.VideoCapture(str(path))
    _, other = capture.read()
    np.testing.assert_allclose(upright, other[..., ::-1], atol=6)


def test_f25_a_trimmed_mp4_is_not_cut_short(tmp_path, clips):
    video, frames = clips.read(clips.trim(tmp_path / "b.mp4", clips.encode(tmp_path / "a.mp4", range(30)), 10))
    assert clips.shown(frames) == list(range(10, 30))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(20) / 25, atol=1e-9)
    assert video._decoder.stream.frames > 20  # hidden ones are in the header's count
    assert video.info.frames_stated == 20
    assert video.messages == []
    assert not video.truncated


def test_f25_a_matroska_video_that_begins_late_is_not_cut_short(tmp_path, clips):
    video, frames = clips.read(clips.encode(tmp_path / "a.mkv", range(100, 130), sound=True))
    assert video.info.start_s == 4.0
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(30) / 25, atol=1e-3)
    assert video.messages == []
    assert not video.truncated


def test_f28_a_size_that_changes_is_told(tmp_path, clips):
    parts = [clips.encode(tmp_path / f"{w}.ts", size=(w, 48)).read_bytes() for w in (64, 96)]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    video, frames = clips.read(tmp_path / "a.ts")
    assert [frame.image.shape[1] for frame in frames] == [64] * 12 + [96] * 12
    assert [frame.status for frame in frames] == ["ok"] * 12 + ["resized"] * 12
    assert "12 of 24 frames are not 64 x 48 as the first one" in video.messages
    assert "1 presentation stamps are not after the one before" in video.messages


def test_f28_a_size_that_changes_is_told_where_frames_have_no_times(tmp_path, clips):
    parts = [clips.encode(tmp_path / f"{w}.h264", size=(w, 48)).read_bytes() for w in (64, 96)]
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    video, frames = clips.read(tmp_path / "a.h264")
    assert [frame.image.shape[1] for frame in frames] == [64] * 12 + [96] * 12
    assert "12 of 24 frames are not 64 x 48 as the first one" in video.messages
    assert "24 of 24 frames have no presentation stamp, and so no time" in video.messages


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "size"),
    [
        ("grey.mkv", "ffv1", "gray", (64, 48)),
        ("deep.mp4", "libx264", "yuv420p10le", (64, 48)),
        ("deep_grey.mkv", "ffv1", "gray16le", (64, 48)),
        ("odd.mp4", "libx264", "yuv444p", (65, 49)),
        ("alpha.mov", "qtrle", "argb", (64, 48)),
        ("alpha.mkv", "ffv1", "bgra", (63, 47)),
        ("jpeg.avi", "mjpeg", "yuvj420p", (64, 48)),
    ],
)
def test_f28_kinds_of_frames_all_come_as_rgb(tmp_path, name, codec, pix_fmt, size, clips):
    video, frames = clips.read(clips.encode(tmp_path / name, codec=codec, pix_fmt=pix_fmt, size=size))
    assert (video.info.width, video.info.height) == size
    assert len(frames) == 12
    for frame in frames:
        assert frame.image.shape == (size[1], size[0], 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        np.testing.assert_allclose(frame.image, clips.picture(frame.index, *size), atol=60)
        np.testing.assert_allclose(frame.image[-8:, :8], clips.picture(frame.index, *size)[-8:, :8], atol=4)


def test_f28_one_frame_is_a_video(tmp_path, clips):
    _, frames = clips.read(clips.encode(tmp_path / "a.mp4", [0]))
    assert [(frame.index, frame.time_s, frame.status) for frame in frames] == [(0, 0.0, "ok")]


def test_f28_sound_is_passed_over(tmp_path, clips):
    video, frames = clips.read(clips.encode(tmp_path / "a.mp4", sound=True))
    assert video.info.has_sound
    assert clips.shown(frames) == list(range(12))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(DataError, match="found no file"):
            open_video(path)


def test_f31_names_with_accents_spaces_and_colons_open(tmp_path, clips):
    for name in ("é ü.mp4", "http:a.mp4", "-x.mp4", "%03d.mp4"):
        clips.encode(tmp_path / "plain.mp4", [0]).rename(tmp_path / name)
        assert len(clips.read(tmp_path / name)[1]) == 1


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "count", "fps"),
    [
        ("videos/person_dancing.mp4", 450, 30),
        ("videos/person_walking.mp4", 5, 5),
        ("mirror_mouse/videos/test_vid.mp4", 994, 250),
    ],
)
def test_real_videos_give_each_frame_once(shared_data, name, count, fps):
    video, frames = open_video(shared_data / name), []
    with video:
        for frame in video:
            frames.append((frame.index, frame.time_s, frame.status, frame.image.shape))
    assert [row[0] for row in frames] == list(range(count))
    np.testing.assert_allclose([row[1] for row in frames], np.arange(count) / fps, atol=1e-9)
    assert {row[2:] for row in frames} == {("ok", (video.info.height, video.info.width, 3))}
    assert video.info.frames_stated == count
    assert video.messages == []
