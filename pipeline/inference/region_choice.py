"""What `--region` says, and boxes from a file."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.cropping import PosePreprocessing
from datamodules.formats.errors import DataError
from datamodules.hashing import hash_file
from datamodules.keypoints import Box
from pipeline.inference.regions import FileRegion, FixedRegion, FollowRegion, FrameRegion, Region, meets

BoxesByFrame = dict[int, Box]
_COLUMNS = ("frame", "x", "y", "width", "height")
_REMEDY = f"give the columns {', '.join(_COLUMNS)}, and video where the file is for several"


@dataclass(frozen=True)
class RegionChoice:
    """Where the subject is looked for.

    Args:
        text: "frame", "follow", "X,Y,W,H" in pixels, or the path of a CSV or JSON file of boxes.
        digest: SHA-256 of the file.
        boxes: Of the file, by video ("" for all) and frame.

    Raises:
        ValueError: From `parse`, if the text is none of these; DataError, if the file is not as expected.
    """

    text: str = "frame"
    digest: str = ""
    boxes: Mapping[str, BoxesByFrame] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> RegionChoice:
        """Read the choice, and the file if it is one."""
        if text in ("frame", "follow"):
            return cls(text)
        if (box := _fixed(text)) is not None:
            return cls(",".join(map(repr, box)))  # all digits: the box is read from here again
        path = Path(text)
        if path.suffix.lower() not in (".csv", ".json") or not path.is_file():
            raise ValueError(f"--region: expected frame, follow, X,Y,W,H or a .csv or .json file, found {text!r}")
        return cls(text, hash_file(path), read_boxes(path))

    def check(self, videos: Sequence[str]) -> None:
        """Refuse a file that cannot be matched with the videos.

        Raises:
            DataError: It names other videos, or none where there are several.
        """
        if not self.boxes:
            return
        if "" in self.boxes and len(videos) > 1:
            raise DataError(self.text, f"a column 'video', for {len(videos)} videos", "none", _REMEDY)
        missing = [name for name in videos if name not in self.boxes and "" not in self.boxes]
        if missing:
            found = f"boxes of {', '.join(sorted(self.boxes)[:5])}"
            raise DataError(self.text, f"boxes of the video {missing[0]}", found, "add its boxes, or leave it out")

    def check_frame(self, path: Path, width: int, height: int) -> None:
        """Refuse a fixed box that lies wholly outside of a video's first frame, which is of this size.

        Raises:
            DataError: It does.
        """
        box = None if self.digest else _fixed(self.text)
        if box is not None and not meets(box, width, height):
            expected = f"a --region that meets the frames of {width} x {height}"
            raise DataError(path, expected, self.text, "give X,Y,W,H in pixels of this video")

    def settings(self) -> dict[str, str]:
        """Return what the joints depend on."""
        return {"region": self.digest or self.text}

    def doubts(self, preprocessing: PosePreprocessing) -> list[str]:
        """Say where the model was trained on another kind of region."""
        whole = self.text == "frame"
        if whole and preprocessing.subject == "box":
            return [
                "the model was trained on boxes of subjects and sees whole frames now, in which the subject may be "
                "smaller: give --region follow, a box or a file of boxes"
            ]
        if not whole and preprocessing.subject == "image":
            return ["the model was trained on whole images and sees a part of each frame now: give --region frame"]
        return []

    def start(self, video: str, preprocessing: PosePreprocessing, min_confidence: float) -> Region:
        """Return the region of a video, before its first frame."""
        if self.text == "frame":
            return FrameRegion(preprocessing)
        if self.text == "follow":
            return FollowRegion(preprocessing, min_confidence)
        if self.boxes:
            return FileRegion(self.boxes.get(video) or self.boxes[""])
        box = _fixed(self.text)
        assert box is not None
        return FixedRegion(box)


def _fixed(text: str) -> Box | None:
    """Return X,Y,W,H as a box, None where the text is something else."""
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (width > 0 and height > 0 and np.isfinite([x, y, width, height]).all()):
        raise ValueError(f"--region: expected a width and height above 0, found {text!r}")
    return (x, y, width, height)


def read_boxes(path: Path) -> dict[str, BoxesByFrame]:
    """Read boxes by video and frame from CSV with a header, or from a JSON list of objects with the same keys.

    Raises:
        DataError: If a column or number is missing or impossible, or a frame has two boxes.
    """
    boxes: dict[str, BoxesByFrame] = defaultdict(dict)
    rows = _json_rows(path) if path.suffix.lower() == ".json" else _csv_rows(path)
    for number, row in rows:
        try:
            frame, (x, y, width, height) = _whole(row["frame"]), (_number(row[name]) for name in _COLUMNS[1:])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(path, f"five numbers in row {number}", f"{error}", _REMEDY) from error
        if frame < 0 or not (width > 0 and height > 0 and np.isfinite([x, y, width, height]).all()):
            expected = f"in row {number} a frame of 0 or more, finite numbers, width and height above 0"
            raise DataError(path, expected, f"{dict(row)}", "mend the row")
        video = str(row.get("video") or "")
        if frame in boxes[video]:
            raise DataError(path, "one box for each frame", f"two for frame {frame}", "leave one of them out")
        boxes[video][frame] = (x, y, width, height)
    if not boxes:
        raise DataError(path, "at least one box", "none", _REMEDY)
    return dict(boxes)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _whole(value: object) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError(f"frame {value!r} is no whole number")
    return int(number)


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(_text(path)), skipinitialspace=True)
    return enumerate(reader, start=2)  # the header is row 1


def _json_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        content = json.loads(_text(path))
    except ValueError as error:
        raise DataError(path, "JSON", str(error), _REMEDY) from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(path, "a list of objects, one for each frame", "something else", _REMEDY)
    return enumerate(content, start=1)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, "a readable file in UTF-8", str(error), "save it as such") from error
