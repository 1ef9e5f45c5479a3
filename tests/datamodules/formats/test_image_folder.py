import cv2
import numpy as np
import pytest

from datamodules.formats import DataError
from datamodules.formats.frames import open_frames
from datamodules.formats.image_folder import ImageReader, image_files


def save(path, value=100, size=(20, 10), channels=3):
    image = np.full((size[1], size[0], channels), value, np.uint8)
    assert cv2.imwrite(str(path), image)
    return path


def test_images_come_in_the_natural_order_of_their_names(tmp_path):
    names = ["frame10.png", "frame2.png", "Frame1.PNG", "b.jpg", "frame002.png", "10.png", "9.png"]
    for index, name in enumerate(names):
        save(tmp_path / name, index)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    order = ["9.png", "10.png", "b.jpg", "Frame1.PNG", "frame002.png", "frame2.png", "frame10.png"]
    assert [path.name for path in image_files(tmp_path)] == order
    with open_frames(tmp_path) as source:
        frames = list(source)
    assert [frame.name for frame in frames] == order
    assert [frame.index for frame in frames] == list(range(7))
    assert {(frame.time_s, frame.status) for frame in frames} == {(None, "ok")}
    assert source.info.frames_stated == 7
    assert (source.info.width, source.info.height) == (20, 10)


def test_colours_come_as_rgb_and_grey_as_three_channels(tmp_path):
    image = np.zeros((10, 20, 3), np.uint8)
    image[..., 2] = 200  # red, in OpenCV's order
    cv2.imwrite(str(tmp_path / "a.png"), image)
    save(tmp_path / "b.png", 7, channels=1)
    save(tmp_path / "c.png", 9, channels=4)
    a, b, c = (frame.image for frame in ImageReader(tmp_path))
    assert a[0, 0].tolist() == [200, 0, 0]
    assert b.shape == c.shape == (10, 20, 3)
    assert b[0, 0].tolist() == [7, 7, 7]


def test_one_image_is_a_source_of_one_frame(tmp_path):
    with open_frames(save(tmp_path / "a.JPG")) as source:
        assert [(frame.index, frame.name, frame.image.shape) for frame in source] == [(0, "a.JPG", (10, 20, 3))]


def test_f27_an_unreadable_image_keeps_its_row(tmp_path):
    for index in (0, 1, 2):
        save(tmp_path / f"{index}.png")
    (tmp_path / "0.png").write_bytes(b"")
    (tmp_path / "1.png").write_bytes((tmp_path / "2.png").read_bytes()[:40])
    source = ImageReader(tmp_path)
    frames = list(source)
    assert [(frame.status, frame.image is None) for frame in frames] == [("unreadable", True)] * 2 + [("ok", False)]
    assert [message.split(":")[0][-5:] for message in source.messages] == ["0.png", "1.png"]
    assert not source.truncated


def test_f28_an_image_of_another_size_is_told(tmp_path):
    save(tmp_path / "0.png")
    save(tmp_path / "1.png", size=(30, 10))
    assert [(frame.status, frame.image.shape[1]) for frame in ImageReader(tmp_path)] == [("ok", 20), ("resized", 30)]


def test_f28_no_image_at_all_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected images \(\.png.*found none"):
        open_frames(tmp_path)
    (tmp_path / "a.png").write_bytes(b"none")
    for path in (tmp_path, tmp_path / "a.png"):
        with pytest.raises(DataError, match=r"a\.png: expected"):
            open_frames(path)
