from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from datamodules.formats import DataError
from datamodules.formats.video import open_video


def picture(index, width, height):
    """Grey that names the frame, with a white upper left corner and, at its right, something that costs bytes."""
    image = np.full((height, width, 3), 20 + 6 * (index % 30), np.uint8)
    image[: height // 3, : width // 3] = 255
    noise = np.random.default_rng(index).integers(20, 60, (height // 3, width // 3, 1))
    image[: height // 3, -(width // 3) :] = noise
    return image


def encode(
    path,
    stamps=range(12),
    *,
    codec="libx264",
    size=(64, 48),
    pix_fmt="yuv420p",
    rotation=0,
    sound=False,
    faststart=False,
    **options,
):
    """Write frames at stamps in 25ths of a second."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.options = {"g": "6", **({"qmin": "1", "qmax": "2"} if codec == "mpeg4" else {}), **options}
        stream.codec_context.time_base = Fraction(1, 25)
        if rotation:
            stream.set_display_rotation(rotation)
        track = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), "rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track:
            encode_silence(container, track)
    return path


def encode_silence(container, track):
    for index in range(40):
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        samples.sample_rate, samples.pts = 48000, index * 1024
        container.mux(track.encode(samples))
    container.mux(track.encode(None))


def read(path):
    with open_video(path) as video:
        return video, list(video)


def shown(frames):
    """The indices that the frames' pictures name."""
    return [round((float(frame.image[-12:, -12:].mean()) - 20) / 6) for frame in frames]


def blank(path, start, stop):
    """Overwrite a part of a file, from and to a fraction of its length."""
    data = bytearray(path.read_bytes())
    first, last = int(len(data) * start), int(len(data) * stop)
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_f25_a_variable_frame_rate_keeps_its_presentation_times(tmp_path, suffix):
    stamps = [0, 1, 2, 7, 8, 30, 31, 32, 100, 101, 140, 141]
    video, frames = read(encode(tmp_path / f"a{suffix}", stamps))
    assert [frame.index for frame in frames] == list(range(12))
    assert shown(frames) == list(range(12))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(stamps) / 25, atol=1e-3)
    assert {frame.status for frame in frames} == {"ok"}
    assert not video.messages
    assert not video.truncated


def test_f25_a_wrong_count_of_frames_in_the_header_changes_nothing(tmp_path):
    path = encode(tmp_path / "a.avi", codec="mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"strh") + 8 + 32  # dwLength of the stream's header
    assert int.from_bytes(data[place : place + 4], "little") == 12
    data[place : place + 4] = (999).to_bytes(4, "little")
    path.write_bytes(data)
    video, frames = read(path)
    assert video.info.frames_stated == 999
    assert shown(frames) == list(range(12))
    assert video.messages == ["the file states 999 frames, 12 were found"]
    assert not video.truncated


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_f25_avi_with_frames_in_the_order_of_decoding_is_timed_in_that_of_showing(tmp_path, codec):
    _, frames = read(encode(tmp_path / "a.avi", codec=codec, bf="2"))
    assert shown(frames) == list(range(12))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 25, atol=1e-9)


def test_f25_a_stream_without_stamps_has_frames_without_times(tmp_path):
    video, frames = read(encode(tmp_path / "a.h264"))
    assert shown(frames) == list(range(12))
    assert {(frame.time_s, frame.status) for frame in frames} == {(None, "no_time")}
    assert video.messages == ["12 of 12 frames have no presentation stamp, and so no time"]


def test_f25_time_begins_with_the_stream(tmp_path):
    video, frames = read(encode(tmp_path / "a.ts"))
    assert frames[0].time_s == 0.0
    assert video.info.start_s > 0.05
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 25, atol=1e-4)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_f26_rotation_is_applied_once(tmp_path, rotation):
    path = encode(tmp_path / "a.mp4", rotation=rotation)
    video, frames = read(path)
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


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mp4", "mpeg4"), ("a.mov", "mjpeg")])
def test_f27_frames_in_damaged_bytes_keep_their_rows(tmp_path, name, codec):
    clean = encode(
        tmp_path / f"clean_{name}", range(60), codec=codec, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p"
    )
    path = tmp_path / name
    path.write_bytes(clean.read_bytes())
    video, frames = read(blank(path, 0.5, 0.55))
    bad = [frame.index for frame in frames if frame.status == "unreadable"]
    assert 1 <= len(bad) < 40
    assert all(frames[index].image is None for index in bad)
    assert f"{len(bad)} of {len(frames)} frames are unreadable" in video.messages
    assert len(frames) == 60
    _, whole = read(clean)
    np.testing.assert_allclose([f.time_s for f in frames[: bad[0]]], [f.time_s for f in whole[: bad[0]]])
    assert shown(frames[: bad[0]]) == shown(whole[: bad[0]])
    assert frames[-1].time_s == whole[-1].time_s
    assert shown(frames[-1:]) == shown(whole[-1:])


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "bf"), [("mjpeg", "yuvj420p", None), ("mpeg4", "yuv420p", None), ("libx264", "yuv420p", "0")]
)
def test_f27_frames_after_a_hole_in_avi_keep_their_times(tmp_path, codec, pix_fmt, bf):
    options = {"bf": bf} if bf else {}
    path = encode(tmp_path / "a.avi", range(60), codec=codec, pix_fmt=pix_fmt, **options)
    _, whole = read(path)
    video, frames = read(blank(path, 0.6, 0.63))
    bad = [frame.index for frame in frames if frame.image is None]
    assert 1 <= len(bad) < 20
    assert bad[-1] < 45
    assert video.messages == [f"{len(bad)} of 60 frames are unreadable"]
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(60) / 25, atol=1e-9)
    for index in (*range(bad[0]), *range(bad[-1] + 12, 60)):  # two groups of pictures later, all is well
        np.testing.assert_array_equal(frames[index].image, whole[index].image)


def test_f27_avi_that_lost_its_index_counts_what_is_missing(tmp_path):
    path = encode(tmp_path / "a.avi", range(60), codec="mpeg4")
    path.write_bytes(path.read_bytes().replace(b"idx1", b"JUNK"))
    video, frames = read(path)
    assert (len(frames), video.messages, video.truncated) == (60, [], False)
    video, frames = read(blank(path, 0.5, 0.53))
    there = len(frames)
    assert there < 60
    assert video.messages[-1] == f"cut short: 60 frames are stated and no index tells of them, {there} are there"
    assert video.truncated
    assert video.info.frames_stated == 60


def test_f27_an_index_of_avi_that_is_damaged_itself_is_not_used(tmp_path):
    path = encode(tmp_path / "a.avi", range(60), codec="mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"idx1") + 8 + 5 * 16  # the sixth entry
    data[place : place + 32] = bytes(32)
    path.write_bytes(data)
    video, frames = read(path)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(60) / 25, atol=1e-9)
    assert shown(frames) == [index % 30 for index in range(60)]
    assert video.messages == []


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_f27_a_packet_that_decodes_to_nothing_keeps_its_row(tmp_path, codec):
    path = encode(tmp_path / "a.mp4", range(60), codec=codec, **({"bf": "0"} if codec == "libx264" else {}))
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][13]
    data = bytearray(path.read_bytes())
    data[packet.pos + 4 : packet.pos + packet.size] = bytes(packet.size - 4)
    path.write_bytes(data)
    video, frames = read(path)
    bad = [frame.index for frame in frames if frame.status == "unreadable"]
    assert 13 in bad
    assert len(frames) == 60
    assert video.messages == [f"{len(bad)} of 60 frames are unreadable"]


def trim(path, source, frames):
    """Copy the packets so that the first frames are hidden by an edit list."""
    with av.open(str(source)) as whole, av.open(str(path), "w") as container:
        stream = whole.streams.video[0]
        copy = container.add_stream_from_template(stream)
        shift = int(frames / 25 / stream.time_base)
        for packet in whole.demux(stream):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                container.mux(packet)
    return path


def test_f25_a_trimmed_mp4_is_not_cut_short(tmp_path):
    video, frames = read(trim(tmp_path / "b.mp4", encode(tmp_path / "a.mp4", range(30)), 10))
    assert shown(frames) == list(range(10, 30))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(20) / 25, atol=1e-9)
    assert video._decoder.stream.frames > 20  # hidden ones are in the header's count
    assert video.info.frames_stated == 20
    assert video.messages == []
    assert not video.truncated


def test_f25_a_matroska_video_that_begins_late_is_not_cut_short(tmp_path):
    video, frames = read(encode(tmp_path / "a.mkv", range(100, 130), sound=True))
    assert video.info.start_s == 4.0
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(30) / 25, atol=1e-3)
    assert video.messages == []
    assert not video.truncated


def test_f27_a_long_gap_is_told_in_formats_that_do_not_account_for_packets(tmp_path):
    video, frames = read(encode(tmp_path / "a.ts", [*range(20), *range(40, 60)]))
    assert {frame.status for frame in frames} == {"ok"}
    assert video.messages == ["frames may be lost after 0.760 s, where the next comes 0.840 s later"]


def test_f27_frames_that_leave_no_packet_are_told_by_their_gap(tmp_path):
    video, frames = read(blank(encode(tmp_path / "a.ts", range(60), qp="5"), 0.5, 0.55))
    steps = np.diff([frame.time_s for frame in frames])
    assert len(frames) < 60
    at = frames[int(steps.argmax())].time_s
    assert f"frames may be lost after {at:.3f} s, where the next comes {steps.max():.3f} s later" in video.messages


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
def test_f27_a_truncated_file_gives_what_is_left(tmp_path, name, codec):
    path = encode(tmp_path / name, range(60), codec=codec, faststart=name.endswith("mp4"))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    video, frames = read(path)
    good = [frame for frame in frames if frame.image is not None]
    assert 8 < len(good) < 60
    assert len(frames) - len(good) <= 1
    assert shown(good) == [index % 30 for index in range(len(good))]
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(len(frames)) / 25, atol=2e-3)
    assert video.truncated
    assert video.messages[-1].startswith("cut short: ")


def test_f27_an_mp4_that_has_lost_its_index_is_refused(tmp_path):
    path = encode(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"a\.mp4: expected a video.*lost its index"):
        open_video(path)


def test_f28_a_size_that_changes_is_told(tmp_path):
    parts = [encode(tmp_path / f"{w}.ts", size=(w, 48)).read_bytes() for w in (64, 96)]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    video, frames = read(tmp_path / "a.ts")
    assert [frame.image.shape[1] for frame in frames] == [64] * 12 + [96] * 12
    assert [frame.status for frame in frames] == ["ok"] * 12 + ["resized"] * 12
    assert "12 of 24 frames are not 64 x 48 as the first one" in video.messages
    assert "1 presentation stamps are not after the one before" in video.messages


def test_f28_a_size_that_changes_is_told_where_frames_have_no_times(tmp_path):
    parts = [encode(tmp_path / f"{w}.h264", size=(w, 48)).read_bytes() for w in (64, 96)]
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    video, frames = read(tmp_path / "a.h264")
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
def test_f28_kinds_of_frames_all_come_as_rgb(tmp_path, name, codec, pix_fmt, size):
    video, frames = read(encode(tmp_path / name, codec=codec, pix_fmt=pix_fmt, size=size))
    assert (video.info.width, video.info.height) == size
    assert len(frames) == 12
    for frame in frames:
        assert frame.image.shape == (size[1], size[0], 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        np.testing.assert_allclose(frame.image, picture(frame.index, *size), atol=60)
        np.testing.assert_allclose(frame.image[-8:, :8], picture(frame.index, *size)[-8:, :8], atol=4)


def test_f28_one_frame_is_a_video(tmp_path):
    _, frames = read(encode(tmp_path / "a.mp4", [0]))
    assert [(frame.index, frame.time_s, frame.status) for frame in frames] == [(0, 0.0, "ok")]


def test_f28_sound_is_passed_over(tmp_path):
    video, frames = read(encode(tmp_path / "a.mp4", sound=True))
    assert video.info.has_sound
    assert shown(frames) == list(range(12))


def test_f28_sound_alone_is_refused(tmp_path):
    with av.open(str(tmp_path / "b.mp4"), "w") as container:
        encode_silence(container, container.add_stream("aac", rate=48000, layout="mono"))
    with pytest.raises(DataError, match="1 sound tracks and no picture"):
        open_video(tmp_path / "b.mp4")


def test_f28_a_video_without_a_frame_is_refused(tmp_path):
    path = blank(encode(tmp_path / "a.mp4", [0], faststart=True), 0.9, 1.0)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4] + bytes(len(data) - data.index(b"mdat") - 4))
    with pytest.raises(DataError, match=r"a\.mp4: expected frames, found 1 that do not decode"):
        open_video(path)


@pytest.mark.parametrize("content", [b"", b"hello\n" * 200, b"ffconcat version 1.0\nfile x.mp4\n", b"#EXTM3U\nx.mp4\n"])
@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.m3u8"])
def test_f28_what_is_no_video_is_refused(tmp_path, name, content):
    encode(tmp_path / "x.mp4", [0])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="expected a video"):
        open_video(tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(DataError, match="found no file"):
            open_video(path)


def test_f31_names_with_accents_spaces_and_colons_open(tmp_path):
    for name in ("é ü.mp4", "http:a.mp4", "-x.mp4", "%03d.mp4"):
        encode(tmp_path / "plain.mp4", [0]).rename(tmp_path / name)
        assert len(read(tmp_path / name)[1]) == 1


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
