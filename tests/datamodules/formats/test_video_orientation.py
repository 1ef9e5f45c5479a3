import av
import numpy as np
import pytest

from datamodules.formats.video import open_video
from datamodules.formats.video_orientation import Orientation


def stored():
    image = np.full((48, 64, 3), 40, np.uint8)
    image[:16, :24] = 230
    image[32:, :24] = 130
    return image


def encode(path, *, degrees=0, **flips):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, "yuv420p", {"qmin": "1", "qmax": "2"}
        if degrees or flips:
            stream.set_display_rotation(degrees, **flips)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(stored(), "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [None, "hflip", "vflip"])
def test_f26_turned_and_mirrored_frames_come_as_they_are_shown(tmp_path, degrees, flip):
    path = encode(tmp_path / "a.mp4", degrees=degrees, **({flip: True} if flip else {}))
    with open_video(path) as video:
        (frame,) = list(video)
    expected = np.rot90(stored(), degrees // 90)
    if flip:
        expected = expected[:, ::-1] if flip == "hflip" else expected[::-1]
    assert (video.info.height, video.info.width) == expected.shape[:2]
    np.testing.assert_allclose(frame.image, expected, atol=12)
    assert video.messages == []


def test_f26_a_turn_that_is_no_quarter_is_told(tmp_path):
    with open_video(encode(tmp_path / "a.mp4", degrees=80)) as video:
        assert video.info.rotation_degrees == 90
        assert video.messages == ["frames are to be turned by 80 degrees, they are by 90"]


def test_a_frame_without_a_matrix_stays(tmp_path):
    image = stored()
    assert Orientation().apply(image) is image
    np.testing.assert_array_equal(Orientation(mirrored=True).apply(image), image[:, ::-1])
