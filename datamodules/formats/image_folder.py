"""A folder of images, or one image, read as the frames of a video."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.formats.errors import DataError
from datamodules.formats.frames import Frame, FrameStatus, VideoInfo

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class ImageReader:
    """Images in the natural order of their names: frame2 comes before frame10. They have no time.

    Args:
        path: A folder, whose sub-folders are not looked into, or one image.

    Raises:
        DataError: There is no image, or none that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: list[str] = []
        self.truncated = False
        self._files = image_files(path) if path.is_dir() else [path]
        if not self._files:
            raise DataError(path, f"images ({', '.join(IMAGE_SUFFIXES)})", "none", "give the folder they lie in")
        first = next((image for image in map(read_rgb, self._files) if image is not None), None)
        if first is None:
            raise DataError(path, "an image that decodes", "none", "export the images again")
        height, width = first.shape[:2]
        self.info = VideoInfo(width, height, 0, "image", None, len(self._files), has_sound=False)

    def __iter__(self) -> Iterator[Frame]:
        unreadable = 0
        for index, file in enumerate(self._files):
            image, status = read_rgb(file), self._status
            unreadable += image is None
            yield Frame(index, None, image, status(image), file.name)
        if unreadable:
            self.messages.append(f"{unreadable} of {len(self._files)} images are unreadable")

    def _status(self, image: NDArray[np.uint8] | None) -> FrameStatus:
        if image is None:
            return "unreadable"
        return "ok" if image.shape[:2] == (self.info.height, self.info.width) else "resized"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing open: each image is closed when it has been read."""


def is_image_name(name: str) -> bool:
    """Tell whether the name is that of an image; hidden files are none."""
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def image_files(folder: Path) -> list[Path]:
    """Return the images of a folder in the natural order of their names."""
    return sorted((f for f in folder.iterdir() if is_image_name(f.name) and f.is_file()), key=_natural)


def read_rgb(path: Path) -> NDArray[np.uint8] | None:
    """Read an image as RGB [H, W, 3], turned as its EXIF tag tells, or None where it does not decode."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if not data.size:
        return None
    # 16 bits are scaled to 8, grey is repeated, transparency is left out
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    return None if image is None else image.astype(np.uint8, copy=False)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a key that orders runs of digits by their value, and equal ones by the name."""
    pieces = re.split(r"(\d+)", path.name.lower())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces], path.name
