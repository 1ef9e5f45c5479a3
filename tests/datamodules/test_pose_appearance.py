from dataclasses import fields

import numpy as np
import pytest

from datamodules.pose_appearance import Appearance
from datamodules.pose_augmentation import PoseAugmentation

NOTHING = {item.name: 0.0 for item in fields(PoseAugmentation) if item.name.endswith("_p")}
LOOKS = ("blur_p", "brightness_p", "gamma_p", "colour_p", "noise_p")
JOINTS = np.stack(np.meshgrid(np.arange(0, 48, 4), np.arange(0, 64, 4)), axis=-1).reshape(-1, 2).astype(np.float32)
VISIBILITY = (np.arange(len(JOINTS)) % 3).astype(np.uint8)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(40, 216, (64, 48, 3), dtype=np.uint8)


def change(image, seed, **changes):
    appearance = Appearance(PoseAugmentation(**NOTHING | changes))
    return appearance(image.copy(), JOINTS, VISIBILITY, np.random.default_rng(seed))


def test_nothing_to_do_changes_nothing(image):
    changed, visibility = change(image, 0)
    np.testing.assert_array_equal(changed, image)
    np.testing.assert_array_equal(visibility, VISIBILITY)


@pytest.mark.parametrize("name", [*LOOKS, "occlusion_p"])
def test_each_change_does_something_and_follows_the_generator_alone(image, name):
    appearance = Appearance(PoseAugmentation(**NOTHING | {name: 1.0}))
    results = {}
    for seed in (5, 6, 7, 5):
        changed, visibility = appearance(image.copy(), JOINTS, VISIBILITY, np.random.default_rng(seed))
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        if seed in results:
            np.testing.assert_array_equal(changed, results[seed][0])
            np.testing.assert_array_equal(visibility, results[seed][1])
        results[seed] = changed, visibility
    assert not np.array_equal(results[5][0], image)
    assert not np.array_equal(results[5][0], results[6][0])


@pytest.mark.parametrize("name", LOOKS)
def test_looks_leave_visibility_alone(image, name):
    np.testing.assert_array_equal(change(image, 1, **{name: 1.0})[1], VISIBILITY)


def test_covered_joints_become_occluded_and_no_others():
    # Every pixel has a colour of its own, so that a covered one can be told.
    number = np.arange(64 * 48).reshape(64, 48)
    unique = np.stack([number // 256, number % 256, np.zeros_like(number)], axis=-1).astype(np.uint8)
    covered_ever = 0
    for seed in range(60):
        changed, visibility = change(unique, seed, occlusion_p=1.0, occlusion_count=2, occlusion_size=(0.2, 0.5))
        moved = (changed != unique).any(axis=2)
        covered = moved[JOINTS[:, 1].astype(int), JOINTS[:, 0].astype(int)]
        assert (visibility[covered & (VISIBILITY == 2)] == 1).all()
        assert (visibility[VISIBILITY < 2] == VISIBILITY[VISIBILITY < 2]).all()
        # The pixel that a colour was taken from may be covered by it, one for each rectangle.
        wrongly = (visibility != VISIBILITY) & ~covered
        assert wrongly.sum() <= 2
        covered_ever += int(covered.sum())
    assert covered_ever > 50
    np.testing.assert_array_equal(VISIBILITY, np.arange(len(JOINTS)) % 3)  # not written to


def test_joints_outside_of_the_image_are_never_covered():
    outside = np.array([[-3.0, 10.0], [50.0, 10.0], [10.0, -2.0], [1e6, 1e6]], np.float32)
    appearance = Appearance(PoseAugmentation(**NOTHING | {"occlusion_p": 1.0, "occlusion_size": (0.9, 1.0)}))
    for seed in range(20):
        seen = appearance(
            np.zeros((64, 48, 3), np.uint8), outside, np.full(4, 2, np.uint8), np.random.default_rng(seed)
        )
        assert seen[1].tolist() == [2, 2, 2, 2]


def test_rectangles_have_the_sizes_told(image):
    areas = []
    for seed in range(40):
        changed, _ = change(image, seed, occlusion_p=1.0, occlusion_count=1, occlusion_size=(0.5, 0.5))
        areas.append((changed != image).any(axis=2).sum())
    assert max(areas) <= 32 * 24
    assert max(areas) > 0.9 * 32 * 24


def test_grey_images_stay_grey(image):
    grey = np.repeat(image[..., :1], 3, axis=2)
    for seed in range(10):
        changed, _ = change(grey, seed, colour_p=1.0, brightness_p=1.0, gamma_p=1.0)
        assert np.ptp(changed.astype(int), axis=2).max() <= 1


def test_an_image_of_one_pixel_is_no_crash():
    every = dict.fromkeys(NOTHING, 1.0)
    appearance = Appearance(PoseAugmentation(**every))
    tiny = np.full((1, 1, 3), 99, np.uint8)
    for seed in range(10):
        changed, _ = appearance(tiny.copy(), JOINTS, VISIBILITY, np.random.default_rng(seed))
        assert changed.shape == (1, 1, 3)
