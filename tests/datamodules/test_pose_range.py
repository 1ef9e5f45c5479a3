import json

import cv2
import numpy as np
import pytest

from datamodules.cropping import PosePreprocessing
from datamodules.image_store import open_store
from datamodules.pose_dataset import Subject
from datamodules.pose_range import look, outside_pose_range, pose_training_range

JOINTS = np.zeros((1, 2), np.float32), np.full(1, 2, np.uint8)


@pytest.fixture
def seen(tmp_path):
    rng = np.random.default_rng(0)
    subjects = []
    for number, (mean, width) in enumerate([(80, 60), (100, 80), (120, 100)]):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), rng.integers(mean - 40, mean + 41, (50, width, 3), dtype=np.uint8))
        subjects.append(Subject(str(number), path, (10, 10, 20, 25), *JOINTS))
    store = open_store([s.image for s in subjects], tmp_path / "cache", cache_mib=1, workers=1)
    return pose_training_range(subjects, store, PosePreprocessing((32, 32), "box", padding=1.0))


def test_the_range_spans_sizes_looks_and_extents_and_is_json(seen):
    assert json.loads(json.dumps(seen)) == seen
    assert seen["width_px"] == [60, 100]
    assert seen["height_px"] == [50, 50]
    assert seen["brightness"] == pytest.approx([80, 120], abs=3)
    assert seen["contrast"] == pytest.approx([18, 18], abs=6)
    assert set(seen) == {"width_px", "height_px", "brightness", "contrast"}


def test_images_like_those_of_training_are_no_finding(seen):
    assert outside_pose_range(np.array([[75.0, 20.0], [125.0, 22.0], [90.0, 15.0]]), (70, 50), seen) == []


@pytest.mark.parametrize(
    ("looks", "size", "finding"),
    [
        ((220.0, 18.0), (70, 50), "brightness of 220 of 255, in training"),
        ((100.0, 90.0), (70, 50), "contrast of 90 of 255"),
        ((100.0, 18.0), (1920, 50), "width of 1920 pixels, in training 60 to 100"),
        ((100.0, 18.0), (70, 20), "height of 20 pixels, in training 50 to 50"),
    ],
)
def test_f32_what_training_has_not_seen_is_said(seen, looks, size, finding):
    (found,) = outside_pose_range(np.array([looks]), size, seen)
    assert found.startswith(finding)


def test_a_single_odd_frame_is_no_finding(seen):
    looks = np.array([[100.0, 18.0]] * 9 + [[0.0, 0.0]])
    assert outside_pose_range(looks, (70, 50), seen) == []


def test_a_look_is_mean_and_deviation():
    image = np.zeros((2, 2, 3), np.uint8)
    image[0] = 100
    assert look(image) == (50.0, 50.0)
