import numpy as np
import pytest

from datamodules.phantom_shapes import Barrel, Canvas, Ellipsoid, periodic


def points(*coordinates):
    return tuple(np.array(axis, dtype=np.float32) for axis in zip(*coordinates, strict=True))


def test_ellipsoid_radius_is_one_on_its_surface():
    solid = Ellipsoid((1, 2, 3), (10, 20, 30))
    on_surface = points((11, 2, 3), (1, 22, 3), (1, 2, -27))
    np.testing.assert_allclose(solid.radius(*on_surface), 1, rtol=1e-5)
    assert solid.radius(*points((1, 2, 3)))[0] == 0
    np.testing.assert_allclose(solid.scaled(2).radius(*on_surface), 0.25, rtol=1e-5)


def test_ellipsoid_leans_with_its_upper_end_to_the_right():
    leaning = Ellipsoid((0, 0, 0), (5, 5, 50), lean_rad=0.3)
    right, left = leaning.radius(*points((12, 0, 39), (-12, 0, 39)))
    assert right < 1 < left


def test_barrel_distance_is_exact_for_a_round_cylinder_and_negative_inside():
    barrel = Barrel(50, 50, shoulder_mm=100, dome_mm=50)
    distance = barrel.distance(*points((47, 0, 0), (0, -56, 0), (30, 40, -20)))
    np.testing.assert_allclose(distance, [-3, 6, 0], atol=1e-4)


def test_barrel_shell_keeps_its_thickness_where_it_closes():
    barrel = Barrel(100, 80, shoulder_mm=0, dome_mm=100)
    height = 70.0
    radius = 100 * np.sqrt(1 - 0.7**2)  # of the surface at y = 0
    normal = np.array([radius / 100**2, 0, height / 100**2])
    normal /= np.linalg.norm(normal)
    outside = np.array([radius, 0, height]) + 4 * normal
    assert barrel.distance(*points(tuple(outside)))[0] == pytest.approx(4, abs=0.3)  # first order
    assert -80 >= barrel.distance(*points((0, 0, 0)))[0] >= -100


def test_canvas_covers_what_was_painted_before():
    x, y, z = points((0, 0, 0), (5, 0, 0), (50, 0, 0))
    canvas = Canvas(x, y, z, -1000)
    canvas.paint(canvas.inside(Ellipsoid((0, 0, 0), (10, 10, 10))), 40, 3)
    canvas.paint(canvas.inside(Ellipsoid((0, 0, 0), (2, 2, 2))), 300)
    assert canvas.hu.tolist() == [300, 40, -1000]
    assert canvas.label.tolist() == [0, 3, 0]


def test_periodic_counts_segments_and_measures_from_their_middle():
    index, offset = periodic(np.array([-1.0, 0.0, 5.0, 12.0]), 10.0)
    assert index.tolist() == [-1, 0, 0, 1]
    np.testing.assert_allclose(offset, [4, -5, 0, -3])
