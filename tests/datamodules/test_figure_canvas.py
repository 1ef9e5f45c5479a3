import numpy as np
import pytest

from datamodules.figure_canvas import SCALE, Canvas, Surface, draw_colour, hull

WHITE = Surface((400.0, 400.0, 400.0))  # saturates whatever the shade


def black(width=48, height=40):
    return Canvas(np.zeros((height * SCALE, width * SCALE, 3), np.uint8), np.array([0.0, 0.0, -1.0]))


def centroid(weight):
    rows, columns = np.indices(weight.shape)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("centre", [(20.0, 15.0), (20.5, 15.5), (17.31, 22.78), (8.12, 30.9)])
def test_a_disc_lies_where_it_was_put_to_a_twentieth_of_a_pixel(centre):
    canvas = black()
    canvas.disc(np.array(centre), 4.0, WHITE, 1)
    weight = canvas.image()[:, :, 0].astype(float) / 255
    np.testing.assert_allclose(centroid(weight), centre, atol=0.05)
    assert weight.sum() == pytest.approx(np.pi * 4**2, rel=0.05)


def test_a_disc_about_an_integer_is_symmetric_about_that_pixel():
    canvas = black(21, 21)
    canvas.disc(np.array([10.0, 10.0]), 5.1, WHITE, 1)
    image = canvas.image()
    np.testing.assert_allclose(image.astype(int), image[:, ::-1].astype(int), atol=1)
    np.testing.assert_allclose(image.astype(int), image[::-1].astype(int), atol=1)


def test_a_capsule_reaches_its_radii_beyond_its_ends():
    canvas = black()
    canvas.capsule(np.array([10.0, 20.0]), np.array([34.0, 20.0]), (6.0, 3.0), WHITE, 1)
    rows, columns = np.nonzero(canvas.owner)
    assert columns.min() / SCALE - 0.5 == pytest.approx(4, abs=0.4)
    assert (columns.max() + 1) / SCALE - 0.5 == pytest.approx(37, abs=0.4)
    assert (np.ptp(rows[columns == 10 * SCALE]) + 1) / SCALE == pytest.approx(12, abs=0.5)
    assert (np.ptp(rows[columns == 34 * SCALE]) + 1) / SCALE == pytest.approx(6, abs=0.5)


def test_the_last_shape_owns_a_point_and_none_owns_what_is_outside():
    canvas = black()
    canvas.disc(np.array([20.0, 20.0]), 8.0, WHITE, 1)
    canvas.disc(np.array([24.0, 20.0]), 4.0, WHITE, 2)
    assert canvas.owner_at(np.array([15.0, 20.0])) == 1
    assert canvas.owner_at(np.array([24.0, 20.0])) == 2
    assert canvas.owner_at(np.array([2.0, 2.0])) == 0
    assert canvas.owner_at(np.array([-0.4, 39.4])) == 0
    assert canvas.owner_at(np.array([-0.6, 20.0])) is None
    assert canvas.owner_at(np.array([20.0, 39.6])) is None


def test_what_is_out_of_the_image_is_cut_off():
    canvas = black()
    canvas.disc(np.array([-60.0, 10.0]), 5.0, WHITE, 1)
    assert not canvas.owner.any()
    canvas.disc(np.array([0.0, 10.0]), 5.0, WHITE, 1)
    assert canvas.owner[:, 0].any()
    assert not canvas.owner[:, -1].any()


def test_the_side_towards_the_light_is_brighter():
    canvas = Canvas(np.zeros((120, 120, 3), np.uint8), np.array([-1.0, 0.0, -0.5]))
    canvas.capsule(np.array([20.0, 5.0]), np.array([20.0, 35.0]), (8.0, 8.0), Surface((150.0, 150.0, 150.0)), 1)
    row = canvas.image()[20, :, 0].astype(int)
    assert row[15] > row[20] > row[25] > 0


@pytest.mark.parametrize(("pattern", "varies"), [("bands", (True, False)), ("stripes", (False, True))])
def test_bands_run_across_and_stripes_along(pattern, varies):
    canvas = black()
    surface = Surface((200.0, 200.0, 200.0), (50.0, 50.0, 50.0), pattern, 6.0)
    square = np.array([[4.0, 4.0], [36.0, 4.0], [36.0, 36.0], [4.0, 36.0]])
    canvas.paint(square, surface, 1, (np.array([4.0, 20.0]), np.array([36.0, 20.0])), 1000.0)
    inner = canvas.image()[8:32, 8:32, 0].astype(int)
    assert (np.ptp(inner, axis=1).max() > 50, np.ptp(inner, axis=0).max() > 50) == varies


def test_checks_vary_both_ways():
    canvas = black()
    surface = Surface((200.0, 200.0, 200.0), (50.0, 50.0, 50.0), "checks", 12.0)
    square = np.array([[4.0, 4.0], [36.0, 4.0], [36.0, 36.0], [4.0, 36.0]])
    canvas.paint(square, surface, 1, (np.array([4.0, 20.0]), np.array([36.0, 20.0])), 1000.0)
    inner = canvas.image()[8:32, 8:32, 0].astype(int)
    assert np.ptp(inner, axis=1).min() > 50
    assert np.ptp(inner, axis=0).min() > 50


def test_a_hull_holds_all_of_its_discs():
    centres, radii = np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 1.0]]), np.array([3.0, 1.0, 1.0])
    corners = hull(centres, radii)
    np.testing.assert_allclose(corners.min(axis=0), [-3, -3], atol=1e-6)
    np.testing.assert_allclose(corners.max(axis=0), [11, 3], atol=1e-6)


def test_colours_are_those_that_a_camera_can_show():
    rng = np.random.default_rng(0)
    colours = np.array([draw_colour(rng) for _ in range(200)])
    assert colours.min() >= 0
    assert colours.max() <= 255
    assert colours.std(axis=0).min() > 30
