import av
import numpy as np
import pytest

from datamodules.formats.video import open_video
from datamodules.formats.video_writer import VideoWriter

TIMES = [0.0, 0.04, 0.041, 0.5, 1.7]


def grey(value, width=64, height=48):
    return np.full((height, width, 3), value, np.uint8)


def read(path):
    with open_video(path) as video:
        return video.info, list(video), video.messages


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", None])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_f25_frames_keep_the_times_of_their_source(tmp_path, codec, suffix):
    with VideoWriter(tmp_path / f"a{suffix}", 64, 48, 25, codec=codec) as writer:
        for index, time_s in enumerate(TIMES):
            writer.write(grey(40 * index), time_s)
    assert writer.frames == 5
    _, frames, messages = read(tmp_path / f"a{suffix}")
    np.testing.assert_allclose([frame.time_s for frame in frames], TIMES, atol=1e-3 if suffix == ".mkv" else 2e-5)
    np.testing.assert_allclose([frame.image.mean() for frame in frames], [0, 40, 80, 120, 160], atol=4)
    assert messages == []


def test_equal_frames_give_equal_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        with VideoWriter(tmp_path / name, 64, 48, 25, codec="libx264") as writer:
            for index in range(30):
                writer.write(grey(8 * index), index / 25)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data == (tmp_path / "b.mp4").read_bytes()
    assert b"mbtree=0" in data  # the encoder writes its settings into the file


def test_a_frame_without_a_time_follows_one_step_later(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 64, 48, 10) as writer:
        for time_s in (None, None, 0.5, None, 0.2):
            writer.write(grey(0), time_s)
    _, frames, _ = read(tmp_path / "a.mp4")
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.1, 0.5, 0.6, 0.7], atol=1e-4)


@pytest.mark.parametrize(("size", "padding"), [((64, 48), (0, 0)), ((65, 49), (1, 1)), ((1, 7), (1, 1))])
def test_f28_odd_sizes_are_padded_at_the_right_and_below(tmp_path, size, padding):
    image = grey(10, *size)
    image[:, size[0] // 2 :] = 200
    with VideoWriter(tmp_path / "a.mp4", *size) as writer:
        writer.write(image, 0.0)
    assert writer.padding == padding
    info, frames, _ = read(tmp_path / "a.mp4")
    assert (info.width, info.height) == (size[0] + padding[0], size[1] + padding[1])
    np.testing.assert_allclose(frames[0].image[: size[1], : size[0]], image, atol=12)
    np.testing.assert_allclose(frames[0].image[:, -1], 200, atol=12)


def test_colours_come_back(tmp_path):
    colours = np.zeros((48, 96, 3), np.uint8)
    for index in range(3):
        colours[:, 32 * index : 32 * index + 32, index] = 220
    with VideoWriter(tmp_path / "a.mp4", 96, 48, quality=10) as writer:
        writer.write(colours)
    image = read(tmp_path / "a.mp4")[1][0].image
    np.testing.assert_allclose(image[8:40, 8:24], colours[8:40, 8:24], atol=8)
    np.testing.assert_allclose(image[8:40, 72:88], colours[8:40, 72:88], atol=8)


def test_the_stated_duration_is_that_of_the_frames(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 64, 48, 25) as writer:
        for time_s in TIMES:
            writer.write(grey(0), time_s)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(1.74, abs=0.01)


def test_f18_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"before")

    def fail():
        with VideoWriter(tmp_path / "a.mp4", 64, 48) as writer:
            writer.write(grey(0))
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fail()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.mp4", b"before")]


def test_a_video_without_frames_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"), VideoWriter(tmp_path / "a.mp4", 64, 48):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_container_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="format"), VideoWriter(tmp_path / "a.unknown", 64, 48):
        pass
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_are_refused(tmp_path):
    for arguments in ((0, 48), (64, 0), (64, 48, 0.0), (64, 48, float("nan"))):
        with pytest.raises(ValueError, match="expected a size and a rate above 0"):
            VideoWriter(tmp_path / "a.mp4", *arguments)
    with VideoWriter(tmp_path / "a.mp4", 64, 48) as writer:
        writer.write(grey(0))
        for image in (grey(0, 66), grey(0)[..., 0], grey(0).astype(np.float32)):
            with pytest.raises(ValueError, match=r"expected uint8 frames \[48, 64, 3\], found"):
                writer.write(image)
