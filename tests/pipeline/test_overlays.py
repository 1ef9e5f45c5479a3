"""Pictures show the structures where they are, in the right proportions."""

import warnings

import cv2
import numpy as np
import pytest

from pipeline.overlays import overlay_png


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) / 255.0


def coloured(picture):
    """Return where a picture is neither grey nor white."""
    return picture.max(axis=-1) - picture.min(axis=-1) > 0.1


def volume(shape=(24, 20, 16)):
    return np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)


def test_a_volume_is_shown_in_three_planes_and_an_image_in_one(tmp_path):
    label = np.zeros((24, 20, 16), dtype=np.uint8)
    label[4:10, 5:15, 6:12] = 1
    overlay_png(volume(), label, tmp_path / "volume.png", ["organ"], title="case")
    overlay_png(volume()[..., :1], label[..., 6:7], tmp_path / "image.png", ["organ"])
    wide, single = read(tmp_path / "volume.png"), read(tmp_path / "image.png")
    assert wide.shape[1] > 2 * single.shape[1]
    assert coloured(wide).any()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["image.png", "volume.png"]


def test_an_image_keeps_rows_and_columns(tmp_path):
    label = np.zeros((40, 20, 1), dtype=np.uint8)  # 40 columns, 20 rows
    label[:10, :5] = 1  # the upper left corner
    overlay_png(np.zeros((1, 40, 20, 1), dtype=np.float32), label, tmp_path / "a.png", ["organ"])
    picture = read(tmp_path / "a.png")
    rows, columns = np.nonzero(picture.max(axis=-1) < 0.99)  # the image is black on white
    top, left = rows.min(), columns.min()
    part = coloured(picture[top : top + 300])
    inside_rows, inside_columns = np.nonzero(part)
    assert inside_rows.min() < 10
    assert inside_columns.min() - left < 10
    assert inside_columns.max() < left + 0.4 * (columns.max() - left)


def test_volumes_are_shown_with_the_patients_right_on_the_left(tmp_path):
    label = np.zeros((30, 30, 2), dtype=np.uint8)
    label[25:, 10:20] = 1  # high X is the patient's right in RAS
    overlay_png(np.zeros((1, 30, 30, 2), dtype=np.float32), label, tmp_path / "a.png", ["organ"])
    picture = read(tmp_path / "a.png")
    _, columns = np.nonzero(coloured(picture)[: picture.shape[0] * 3 // 4])
    assert columns.min() < 0.05 * picture.shape[1]


def test_proportions_follow_the_spacing(tmp_path):
    image, label = volume((20, 20, 1)), np.zeros((20, 20, 1), dtype=np.uint8)
    for name, spacing in (("square", (1, 1, 1)), ("wide", (3, 1, 1))):
        overlay_png(image, label, tmp_path / f"{name}.png", ["organ"], spacing_mm=spacing)
    square, wide = read(tmp_path / "square.png"), read(tmp_path / "wide.png")
    assert wide.shape[1] > 2 * square.shape[1]


@pytest.mark.parametrize("count", [1, 10, 25])
def test_masks_references_and_many_structures_are_drawn(tmp_path, count):
    masks = np.zeros((count, 12, 12, 12), dtype=np.uint8)
    masks[:, 3:9, 3:9, 3:9] = 1
    names = [f"_structure ${index}_$" for index in range(count)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        overlay_png(volume((12, 12, 12)), masks, tmp_path / "a.png", names, np.roll(masks, 2, 1))
    assert coloured(read(tmp_path / "a.png")).any()


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_an_empty_case_is_drawn_too(tmp_path, fill):
    image = np.full((1, 8, 8, 8), fill, dtype=np.float32)
    overlay_png(image, np.zeros((8, 8, 8), dtype=np.uint8), tmp_path / "a.png", ["organ"])
    assert not coloured(read(tmp_path / "a.png")).any()


def test_a_colour_image_is_shown_in_colour(tmp_path):
    image = np.zeros((3, 16, 16, 1), dtype=np.float32)
    image[0] = 255  # red
    overlay_png(image, np.zeros((16, 16, 1), dtype=np.uint8), tmp_path / "a.png", ["organ"])
    picture = read(tmp_path / "a.png")
    assert picture[picture.shape[0] // 3, picture.shape[1] // 2].tolist() == [1, 0, 0]
