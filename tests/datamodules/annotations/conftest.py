import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAMES = ["nose", "left_ear", "right_ear"]


@pytest.fixture
def write_images() -> Callable[..., None]:
    """Lay out files under the names of images; listing annotations never opens them."""

    def write(folder: Path, *names: str) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()

    return write


@pytest.fixture
def coco() -> dict[str, Any]:
    """Two images of 64 x 48, the first with two animals of three joints."""
    points = [[10, 20, 2, 12.5, 8, 1, 0, 0, 0], [30, 31, 2, 32, 33, 2, 34, 35, 2], [1, 2, 2, 3, 4, 2, 5, 6, 2]]
    return {
        "categories": [{"id": 7, "name": "mouse", "keypoints": NAMES, "skeleton": [[1, 2], [1, 3]]}],
        "images": [
            {"id": 1, "file_name": "a.png", "width": 64, "height": 48},
            {"id": 2, "file_name": "b.png", "width": 64, "height": 48},
        ],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 7, "keypoints": points[0], "bbox": [9, 7, 20, 30], "area": 600},
            {"id": 6, "image_id": 2, "category_id": 7, "keypoints": points[1]},
            {"id": 7, "image_id": 1, "category_id": 7, "keypoints": points[2], "bbox": [0, 0, 0, 0], "area": 0},
        ],
    }


@pytest.fixture
def write_coco(tmp_path, write_images) -> Callable[..., Path]:
    """Write a COCO file into a folder, with its images in images/."""

    def write(content: dict[str, Any], root: Path = tmp_path, name: str = "annotations.json") -> Path:
        write_images(root / "images", *(image["file_name"] for image in content["images"]))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(content), encoding="utf-8")
        return root

    return write
