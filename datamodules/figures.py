"""Rendered persons with known joints as a COCO keypoint folder, made from a seed when no data is at hand."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from datamodules.figure_body import EDGES, JOINTS
from datamodules.figure_picture import Picture, make_picture
from datamodules.figure_video import FRAMES, write_video
from datamodules.formats.errors import DataError
from datamodules.keypoints import UNLABELLED
from datamodules.new_folder import new_folder

VERSION = 1  # raise it when the same seed begins to give other pixels
SMALLEST_PX = 64
_FILM = 2**32 - 1  # a number that is no image's


def make_figures(
    root: Path,
    *,
    images: int = 2000,
    seed: int = 0,
    size: tuple[int, int] = (192, 192),
    frames: int = FRAMES,
    workers: int = 2,
) -> Path:
    """Write rendered persons with COCO keypoints and a video with known joints, equal to the byte for equal seeds.

    Args:
        root: Folder to make; it must not exist. It appears whole or not at all.
        images: Number of images, one person in each.
        seed: Number from which all persons, poses and surroundings follow.
        size: Width and height of the images in pixels; a person is some 3/4 of the smaller one.
        frames: Length of the video, 25 a second; without any, none is written.
        workers: Processes; 0 works in this one.

    Returns:
        The folder.

    Raises:
        DataError: If the folder exists already.
        ValueError: If there are to be no images, or they are too small to show a person.
    """
    if images < 1 or frames < 0 or min(size) < SMALLEST_PX:
        expected = f"expected images above 0, frames of 0 or more and a size of {SMALLEST_PX} or more"
        raise ValueError(f"{expected}, found {images}, {frames} and {size}")
    root = Path(root)
    with new_folder(root, "annotations.json", "figures") as draft:
        (draft / "images").mkdir()
        annotations = _write_images(draft, images, seed, size, frames, workers)
        _write_annotations(draft, annotations, seed, size)
    return root


def check_figures(root: Path) -> None:
    """Make sure that a folder holds figures as `make_figures` now makes them.

    Raises:
        DataError: If they are of another version, or are no figures.
    """
    path = root / "annotations.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        found = f"version {description['info']['figures']['version']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        found = f"none ({type(error).__name__}: {error})"
    if found != f"version {VERSION}":
        remedy = f"remove the folder {root}, and it is made anew, or name another with data.root"
        raise DataError(path, f"rendered figures of version {VERSION}", found, remedy)


def _write_images(
    root: Path, images: int, seed: int, size: tuple[int, int], frames: int, workers: int
) -> list[dict[str, Any]]:
    """Write images and video; return the images' annotations."""
    task = partial(_write_image, root=root, seed=seed, size=size)
    show = partial(tqdm, total=images, desc="figures", unit="image", disable=None)
    film = partial(_write_film, root, seed, frames)
    if workers < 1:
        film()
        return list(show(map(task, range(images))))
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
    with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        filmed = pool.submit(film)
        annotations = list(show(pool.map(task, range(images), chunksize=16)))
        filmed.result()
        return annotations


def _write_film(root: Path, seed: int, frames: int) -> None:
    if frames:
        write_video(root, (VERSION, seed, _FILM), frames)


def _write_image(index: int, *, root: Path, seed: int, size: tuple[int, int]) -> dict[str, Any]:
    picture = make_picture((VERSION, seed, index), size)
    path = root / "images" / f"figure_{index:05d}.jpg"
    done, code = cv2.imencode(".jpg", picture.image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    if not done:
        raise DataError(path, "an image that can be written", f"one of {size}", "choose another size")
    path.write_bytes(code.tobytes())
    return _annotation(index + 1, picture)


def _annotation(number: int, picture: Picture) -> dict[str, Any]:
    keypoints: list[float] = []
    for (x, y), seen in zip(picture.joints.tolist(), picture.visibility.tolist(), strict=True):
        keypoints += [0, 0, 0] if seen == UNLABELLED else [round(x, 2), round(y, 2), seen]
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": int((picture.visibility > UNLABELLED).sum()),
        "keypoints": keypoints,
        "bbox": [round(value, 2) for value in picture.box],
        "area": round(picture.area_px, 1),
    }


def _write_annotations(root: Path, annotations: list[dict[str, Any]], seed: int, size: tuple[int, int]) -> None:
    description = {
        "info": {
            "description": "Rendered persons with known joints; no photographs",
            "figures": {"version": VERSION, "seed": seed, "size": list(size), "images": len(annotations)},
        },
        "categories": [
            {"id": 1, "name": "person", "keypoints": JOINTS, "skeleton": [[a + 1, b + 1] for a, b in EDGES]}
        ],
        "images": [
            {"id": one["id"], "file_name": f"figure_{one['id'] - 1:05d}.jpg", "width": size[0], "height": size[1]}
            for one in annotations
        ],
        "annotations": annotations,
    }
    (root / "annotations.json").write_text(json.dumps(description) + "\n", encoding="utf-8")
