"""The videos to work through: files, folders of videos, and folders of images that are one video each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.case_names import refuse_twins
from datamodules.formats.errors import DataError
from datamodules.formats.image_folder import image_files, is_image_name
from datamodules.hashing import cache_key, hash_file

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".gif",
    ".mjpeg", ".mjpg", ".ogv", ".3gp", ".mxf",
)  # fmt: skip
_LONGEST_NAME = 255  # bytes, of most file systems


@dataclass(frozen=True)
class VideoInput:
    """One video, or a folder of images that are its frames.

    Args:
        id: The name of the folder that its results go into.
        path: The file or folder.
    """

    id: str
    path: Path

    def digest(self) -> str:
        """Return a SHA-256 over the bytes of the video, or over the names and bytes of its images.

        Raises:
            DataError: If a file cannot be read.
        """
        if not self.path.is_dir():
            return hash_file(self.path)
        return cache_key("", {"images": [[file.name, hash_file(file)] for file in image_files(self.path)]})


def find_videos(inputs: Sequence[Path], reserved: Iterable[str] = ()) -> list[VideoInput]:
    """List the videos of the inputs in their order, those of a folder by name.

    A file is taken for a video or an image whatever its name; in a folder the suffix decides. Hidden files and
    sub-folders are passed over.

    Args:
        inputs: Files and folders.
        reserved: Names that no video may have, as the output folder has files of these names.

    Raises:
        DataError: If nothing is there, a folder holds videos and images, or names are equal but for upper and lower
            case (F31).
    """
    found = [video for path in inputs for video in (_of_folder(path) if path.is_dir() else _of_file(path))]
    shown = [(video.id, str(video.path)) for video in found]
    refuse_twins(Path(inputs[0]), [*((name, f"{name} in the output folder") for name in reserved), *shown])
    for video in found:
        if len(video.id.encode()) > _LONGEST_NAME:
            raise DataError(video.path, f"a name of {_LONGEST_NAME} bytes at most", "a longer one", "rename it")
    return found


def _of_file(path: Path) -> list[VideoInput]:
    if not path.is_file():
        raise DataError(path, "a video, an image, or a folder of them", "nothing", "check the path of the input")
    return [VideoInput(path.stem, path)]


def _of_folder(folder: Path) -> list[VideoInput]:
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())
    videos = [path for path in entries if path.name.lower().endswith(VIDEO_SUFFIXES)]
    images = [path for path in entries if is_image_name(path.name)]
    if videos and images:
        found = f"{len(videos)} videos and {len(images)} images"
        raise DataError(folder, "videos, or the images of one video", found, "name the videos one by one")
    if not videos and not images:
        expected = f"videos ({', '.join(VIDEO_SUFFIXES)}) or images"
        raise DataError(folder, expected, "none in the folder", "give the folder that holds the files themselves")
    if others := len(entries) - len(videos) - len(images):
        log.info("%s: passed over %d other files", folder, others)
    if images:
        return [VideoInput(folder.resolve().name, folder)]
    return [VideoInput(path.stem, path) for path in videos]
