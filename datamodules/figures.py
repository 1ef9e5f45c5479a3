"""Rendered persons with known joints as a COCO keypoint folder, made from a seed when no data is at hand."""

from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from datamodules.figure_body import EDGES, JOINTS, draw_build, draw_pose, pose_body
from datamodules.figure_canvas import SCALE, Array, Canvas
from datamodules.figure_painting import draw_look, joint_visibility, paint_body
from datamodules.figure_scene import draw_background, paint_occluders, photograph
from datamodules.formats.errors import DataError
from datamodules.keypoints import UNLABELLED, Box

log = logging.getLogger(__name__)

VERSION = 1  # raise it when the same seed begins to give other pixels


@dataclass(frozen=True)
class Picture:
    """One rendered person.

    Attributes:
        image: RGB [H, W, 3].
        joints: x and y in pixels [14, 2]; a pixel's centre has integer coordinates.
        visibility: 2 where a joint shows, 1 where something hides it, 0 outside of the image [14].
        box: Of the person's pixels within the image.
        area_px: Number of them.
    """

    image: NDArray[np.uint8]
    joints: Array
    visibility: NDArray[np.uint8]
    box: Box
    area_px: float


def make_figures(
    root: Path,
    *,
    images: int = 1500,
    seed: int = 0,
    size: tuple[int, int] = (192, 192),
    workers: int = 2,
) -> Path:
    """Write a folder of rendered persons with COCO keypoints, equal to the byte for equal seeds.

    Args:
        root: Folder to make; it must not exist. It appears whole or not at all.
        images: Number of images, one person in each.
        seed: Number from which all persons, poses and surroundings follow.
        size: Width and height of the images in pixels.
        workers: Processes; 0 works in this one.

    Returns:
        The folder.

    Raises:
        DataError: If the folder exists already.
    """
    root = Path(root)
    if root.exists():
        raise DataError(root, "a folder that does not exist yet", "one that does", "remove it or name another")
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        (draft / "images").mkdir()
        annotations = _write_images(draft, images, seed, size, workers)
        _write_annotations(draft, annotations, seed, size)
        draft.chmod(0o755)  # mkdtemp keeps others out
        _publish(draft, root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return root


def make_picture(index: int, seed: int, size: tuple[int, int]) -> Picture:
    """Render one person in an image of width and height in pixels."""
    rng = np.random.default_rng([VERSION, seed, index])
    canvas = draw_background(rng, size)
    stature = float(rng.uniform(0.62, 0.86)) * min(size)
    body = pose_body(draw_build(rng), draw_pose(rng))
    look = draw_look(rng, stature)
    joints = paint_body(canvas, body, look, _draw_place(rng, stature * body.joints[:, :2], size), stature)
    box, area = _extent(canvas)
    paint_occluders(canvas, rng, joints, stature)
    visibility = joint_visibility(canvas, body, joints)
    return Picture(photograph(canvas, rng), joints, visibility, box, area)


def _draw_place(rng: np.random.Generator, joints: Array, size: tuple[int, int]) -> Array:
    """Draw where the middle of the hips lies, so that the joints [14, 2] are in the image, or few of them are not."""
    low, high = joints.min(axis=0), joints.max(axis=0)
    margin = 0.05 * min(size) if rng.random() < 0.85 else -0.15 * (high - low)
    room = np.array(size) - 1 - (high - low) - 2 * margin
    place: Array = margin - low + room * rng.uniform(0, 1, 2)
    return np.where(room > 0, place, (np.array(size) - 1 - high - low) / 2)


def _extent(canvas: Canvas) -> tuple[Box, float]:
    """Return the box and the area of what is painted, in pixels."""
    painted = canvas.owner > 0
    rows, columns = (np.flatnonzero(painted.any(axis=axis)) / SCALE for axis in (1, 0))
    x, y = columns[0] - 0.5, rows[0] - 0.5
    box = (x, y, columns[-1] + 1 / SCALE - 0.5 - x, rows[-1] + 1 / SCALE - 0.5 - y)
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(painted.sum()) / SCALE**2


def _write_images(
    root: Path, images: int, seed: int, size: tuple[int, int], workers: int
) -> list[dict[str, Any]]:
    task = partial(_write_image, root=root, seed=seed, size=size)
    show = partial(tqdm, total=images, desc="figures", unit="image", disable=None)
    if workers < 1:
        return list(show(map(task, range(images))))
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
    with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        return list(show(pool.map(task, range(images), chunksize=16)))


def _write_image(index: int, *, root: Path, seed: int, size: tuple[int, int]) -> dict[str, Any]:
    picture = make_picture(index, seed, size)
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


def _publish(draft: Path, root: Path) -> None:
    """Rename the finished folder; another process may have made the same one in the meantime."""
    try:
        draft.rename(root)
    except OSError:
        if not (root / "annotations.json").is_file():
            raise
        log.info("%s was made by another process in the meantime; its copy is kept", root)
    else:
        log.info("figures written to %s", root)
