import numpy as np
import pytest

from datamodules.figure_canvas import OBJECT, SCALE, Canvas
from datamodules.figure_scene import Camera, draw_background, draw_camera, paint_occluders


def grey(value=100):
    return Canvas(np.full((40 * SCALE, 60 * SCALE, 3), value, np.uint8), np.array([0.0, 0.0, -1.0]))


def test_backgrounds_are_textured_and_nobodys():
    rng = np.random.default_rng(0)
    images = []
    for _ in range(8):
        canvas = draw_background(rng, (96, 64))
        assert not canvas.owner.any()
        assert canvas.light[2] < 0  # from the camera's side
        images.append(canvas.image())
        assert images[-1].shape == (64, 96, 3)
        assert images[-1].std() > 8
    assert np.std([image.mean() for image in images]) > 5


def test_occluders_lie_over_joints_and_are_sometimes_missing():
    joints = np.array([[20.0, 20.0], [40.0, 20.0]])
    covered = []
    for seed in range(60):
        canvas = grey()
        paint_occluders(canvas, np.random.default_rng(seed), joints, 40.0)
        assert set(np.unique(canvas.owner)) <= {0, OBJECT}
        covered.append((canvas.owner == OBJECT).mean())
    assert 0.12 < np.mean(np.array(covered) > 0) < 0.35
    assert max(covered) < 0.4


def test_a_camera_keeps_places_and_changes_what_it_says():
    rng = np.random.default_rng(0)
    plain = Camera((1.0, 1.0, 1.0), 0.0, 0.0).photograph(grey(), rng)
    assert (plain == 100).all()
    assert Camera((0.5, 1.0, 1.2), 0.0, 0.0).photograph(grey(), rng)[3, 3].tolist() == [50, 100, 120]
    noisy = Camera((1.0, 1.0, 1.0), 0.0, 5.0).photograph(grey(), rng)
    assert noisy.std() == pytest.approx(5, rel=0.05)
    spot = grey(0)
    spot.fine[20 * SCALE : 21 * SCALE, 30 * SCALE : 31 * SCALE] = 250
    blurred = Camera((1.0, 1.0, 1.0), 0.8, 0.0).photograph(spot, rng)[:, :, 0].astype(float)
    assert np.unravel_index(blurred.argmax(), blurred.shape) == (20, 30)
    assert blurred[20, 29] == blurred[20, 31] > 20


def test_half_of_the_cameras_are_in_focus():
    rng = np.random.default_rng(0)
    cameras = [draw_camera(rng) for _ in range(200)]
    assert 0.4 < np.mean([camera.blur_px == 0 for camera in cameras]) < 0.6
    assert all(0.6 < min(camera.gain) <= max(camera.gain) < 1.4 for camera in cameras)
