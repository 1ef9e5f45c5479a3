import json

import cv2
import numpy as np
import pytest

from datamodules.cropping import PosePreprocessing, box_to_original, cut, invert, transform, whole_image


def spot(size, centre, sigma):
    """An RGB image [H, W, 3] of one bright Gaussian."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    bright = 250 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
    return np.repeat(np.round(bright).astype(np.uint8)[..., None], 3, axis=2)


def centroid(image):
    weight = image[..., 0].astype(np.float64)
    y, x = np.indices(weight.shape)
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def test_the_whole_image_at_its_own_size_is_itself(noise):
    affine = box_to_original(whole_image(64, 48), (64, 48))
    np.testing.assert_allclose(affine, [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    np.testing.assert_array_equal(cut(noise, affine, (64, 48)), noise)


def test_a_box_of_whole_pixels_is_cut_to_the_bit_and_black_outside(noise):
    affine = box_to_original((-4.5, 9.5, 20, 10), (20, 10))
    made = cut(noise, affine, (20, 10))
    np.testing.assert_array_equal(made[:, 4:], noise[10:20, :16])
    assert not made[:, :4].any()


@pytest.mark.parametrize("size", [(32, 32), (40, 24), (24, 40)])
@pytest.mark.parametrize("padding", [1.0, 1.25])
def test_the_box_lies_in_the_middle_and_fits_with_its_padding(size, padding):
    box = (3.0, 5.0, 17.0, 29.0)
    to_input = invert(box_to_original(box, size, padding))
    corners = transform(to_input, np.array([[3.0, 5.0], [20.0, 34.0]]))
    np.testing.assert_allclose(corners.mean(axis=0), [(size[0] - 1) / 2, (size[1] - 1) / 2])
    extent = corners[1] - corners[0]
    assert extent[0] / extent[1] == pytest.approx(17 / 29)
    assert max(extent / size) == pytest.approx(1 / padding)


@pytest.mark.parametrize("scale", [0.4, 0.9, 1.5, 2.0, 2.7, 3.0, 5.6])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [0, 33, 180])
def test_what_is_cut_lies_where_the_affine_says(scale, mirror, degrees):
    point, size = np.array([151.3, 96.8]), (72, 64)
    image = spot((320, 240), point, sigma=max(3.0, 2.5 * scale))
    cosine, sine = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    sign = -1 if mirror else 1
    turn = np.array([[sign * cosine, -sine], [sign * sine, cosine]])
    shown_at = np.array([30.2, 35.1])
    affine = np.column_stack([turn, point - turn @ shown_at])
    found = centroid(cut(image, affine, size))
    np.testing.assert_allclose(found, transform(invert(affine), point), atol=0.06)


@pytest.mark.parametrize("step", [2, 3, 4])
def test_a_coarse_cut_averages_whole_areas(noise, step):
    size = (64 // step, 48 // step)
    affine = np.array([[step, 0, (step - 1) / 2], [0, step, (step - 1) / 2]], dtype=np.float64)
    used = noise[: size[1] * step, : size[0] * step].astype(np.float64)
    mean = used.reshape(size[1], step, size[0], step, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(cut(noise, affine, size), mean, atol=1)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_mirrored_cut_is_the_cuts_mirror_image(scale):
    smooth = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (96, 130, 3), dtype=np.uint8), (0, 0), 4)
    size = (32, 24)
    plain = np.array([[scale, 0, 20.3], [0, scale, 11.7]])
    mirrored = plain @ np.array([[-1, 0, size[0] - 1], [0, 1, 0], [0, 0, 1]])
    made = cut(smooth, mirrored, size)
    np.testing.assert_allclose(made.astype(int), cut(smooth, plain, size)[:, ::-1], atol=1)


@pytest.mark.parametrize("scale", [2.0, 2.5, 3.1, 4.0, 5.7])
@pytest.mark.parametrize("image_size", [(128, 96), (129, 97), (130, 98), (131, 99)])
@pytest.mark.parametrize("degrees", [0, 20])
def test_the_cut_of_a_mirrored_image_is_the_mirror_image_of_its_cut(scale, image_size, degrees):
    # bright up to the border, and smooth against an area, as a mirrored image has other areas
    width, height = image_size
    noise = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
    smooth = np.clip(cv2.GaussianBlur(noise, (0, 0), 12).astype(int) + 60, 0, 255).astype(np.uint8)
    size = (64, 48)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    cosine, sine = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    plain = np.column_stack([turn, middle - turn @ np.array([40.3, 11.7])])
    # mirrored along both axes: x -> width - 1 - x, and so for the pixels of the cut
    image_mirror = np.array([[-1, 0, width - 1], [0, -1, height - 1], [0, 0, 1]], dtype=np.float64)
    cut_mirror = np.array([[-1, 0, size[0] - 1], [0, -1, size[1] - 1], [0, 0, 1]], dtype=np.float64)
    mirrored = (image_mirror @ np.vstack([plain, [0, 0, 1]]) @ cut_mirror)[:2]
    made = cut(np.ascontiguousarray(smooth[::-1, ::-1]), mirrored, size).astype(int)
    expected = cut(smooth, plain, size)[::-1, ::-1].astype(int)
    assert (expected == 0).any()
    assert (expected > 150).any()
    np.testing.assert_allclose(made, expected, atol=1)


@pytest.mark.parametrize("scale", [1.0, 2.0, 2.9, 3.0, 4.3])
@pytest.mark.parametrize("image_size", [(128, 96), (131, 99), (3, 50)])
def test_a_uniform_image_is_uniform_to_its_border_and_black_beyond(scale, image_size):
    image = np.full((image_size[1], image_size[0], 3), 200, np.uint8)
    size, step = (150, 120), int(scale)
    affine = np.array([[scale, 0, -30.7], [0, scale, -25.2]])
    made = cut(image, affine, size)[..., 0].astype(int)
    x, y = (scale * np.arange(length) + start for length, start in zip(size, (-30.7, -25.2), strict=True))
    # the distance from each of the nearest edges, positive within the image
    depth = np.minimum(
        *np.meshgrid(*(np.minimum(p + 0.5, n - 0.5 - p) for p, n in zip((x, y), image_size, strict=True)))
    )
    inside, outside = depth >= step / 2, depth <= -step / 2
    assert outside.any()
    assert inside.any() or min(image_size) < 2 * scale
    np.testing.assert_allclose(made[inside], 200, atol=1)
    np.testing.assert_allclose(made[outside], 0, atol=1)


def test_a_cut_beside_the_border_equals_one_that_reaches_over_it(noise):
    wide = box_to_original((-30.5, -30.5, 150, 150), (50, 50))
    narrow = wide @ np.array([[1, 0, 14], [0, 1, 14], [0, 0, 1]])
    np.testing.assert_array_equal(cut(noise, narrow, (10, 8)), cut(noise, wide, (50, 50))[14:22, 14:24])


def test_cuts_of_images_smaller_than_a_step_or_far_outside_are_no_crash(noise):
    tiny = noise[:1, :1]
    assert cut(tiny, np.array([[9.0, 0, 0], [0, 9.0, 0]]), (8, 8)).shape == (8, 8, 3)
    assert not cut(noise, np.array([[1.0, 0, 1e6], [0, 1.0, -1e6]]), (8, 8)).any()


def test_an_image_that_cannot_be_written_to_is_cut(noise):
    noise.setflags(write=False)
    affine = box_to_original(whole_image(64, 48), (16, 12))
    assert cut(noise, affine, (16, 12)).flags.writeable


def test_the_way_back_is_exact():
    affine = np.array([[0.3, -1.2, 50.0], [0.9, 0.4, -7.0]])
    points = np.random.default_rng(0).uniform(-100, 900, (2, 5, 2))
    np.testing.assert_allclose(transform(affine, transform(invert(affine), points)), points, atol=1e-9)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, -1), (0, float("nan"), 5, 5), (0, 0, float("inf"), 5)])
def test_a_box_without_extent_is_refused(box):
    with pytest.raises(ValueError, match="finite numbers and an extent above 0"):
        box_to_original(box, (8, 8))


def test_padding_is_for_boxes_and_not_for_whole_images():
    boxes, images = (PosePreprocessing((64, 64), subject, padding=1.5) for subject in ("box", "image"))
    assert boxes.affine((0, 0, 64, 64))[0, 0] == pytest.approx(1.5)
    assert images.affine((0, 0, 64, 64))[0, 0] == pytest.approx(1.0)


def test_preprocessing_survives_json():
    made = PosePreprocessing((96, 128), "image", 1.1, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert PosePreprocessing.from_dict(json.loads(json.dumps(made.to_dict()))) == made
