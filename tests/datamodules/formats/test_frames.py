import dataclasses

import cv2
import numpy as np
import pytest

from datamodules.formats import DataError
from datamodules.formats.frames import Frame, open_frames
from datamodules.formats.image_folder import ImageReader
from datamodules.formats.video import VideoReader
from datamodules.formats.video_writer import VideoWriter

IMAGE = np.zeros((48, 64, 3), np.uint8)


def test_the_kind_of_source_follows_the_path(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 64, 48) as writer:
        writer.write(IMAGE)
    cv2.imwrite(str(tmp_path / "a.png"), IMAGE)
    kinds = {"a.mp4": VideoReader, "a.png": ImageReader, ".": ImageReader}
    for name, kind in kinds.items():
        with open_frames(tmp_path / name) as source:
            assert type(source) is kind
            assert source.path == tmp_path / name
            assert [frame.image.shape for frame in source] == [(48, 64, 3)]
            assert source.messages == []


def test_what_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.mp4: expected a video, an image, or a folder of images, found nothing"):
        open_frames(tmp_path / "none.mp4")


def test_a_frame_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Frame(0, 0.0, IMAGE, "ok").index = 1
