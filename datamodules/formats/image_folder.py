"""A folder of images, or one image, read as the frames of a video."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from datamodules.formats import photograph
from datamodules.formats.errors import DataError
from datamodules.formats.frames import Frame, VideoInfo

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class ImageReader:
    """Images in the natural order of their names: frame2 comes before frame10. They have no time.

    An image is read as for training, see `photograph.read`; one that does not decode keeps its row.

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
        height, width = self._first().shape[:2]
        self.info = VideoInfo(width, height, 0, "image", None, len(self._files), has_sound=False)

    def __iter__(self) -> Iterator[Frame]:
        for index, file in enumerate(self._files):
            try:
                image = photograph.read(file)
            except DataError as error:
                self.messages.append(str(error))
                yield Frame(index, None, None, "unreadable", file.name)
                continue
            same = image.shape[:2] == (self.info.height, self.info.width)
            yield Frame(index, None, image, "ok" if same else "resized", file.name)

    def _first(self) -> NDArray[np.uint8]:
        """Return the first image that can be read."""
        for file in self._files[:-1]:
            try:
                return photograph.read(file)
            except DataError as error:
                log.debug("%s", error)  # it is reported in its turn
        return photograph.read(self._files[-1])

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


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a key that orders runs of digits by their value, and equal ones by the name."""
    pieces = re.split(r"(\d+)", path.name.lower())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces], path.name
