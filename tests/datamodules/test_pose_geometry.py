from dataclasses import fields

import numpy as np
import pytest

from datamodules.cropping import PosePreprocessing, invert, transform
from datamodules.pose_augmentation import PoseAugmentation
from datamodules.pose_geometry import draw_affine, half_box

NOTHING = {item.name: 0.0 for item in fields(PoseAugmentation) if item.name.endswith("_p")}
BOX = (100.0, 50.0, 40.0, 80.0)
PLAIN = PosePreprocessing((64, 96), "box", padding=1.25)
JOINTS = np.stack([np.linspace(105, 135, 10), np.linspace(55, 125, 10)], axis=1).astype(np.float32)
SEEN = np.full(10, 2, np.uint8)


def draw(seed=0, preprocessing=PLAIN, joints=JOINTS, visibility=SEEN, **changes):
    settings = PoseAugmentation(**NOTHING | changes)
    return draw_affine(settings, preprocessing, BOX, joints, visibility, np.random.default_rng(seed))


def parts(affine):
    """Scale, angle in degrees, mirror and shown centre of a drawn affine, as against the plain one."""
    change = np.linalg.inv(PLAIN.affine(BOX)[:, :2]) @ affine[:, :2]
    determinant = np.linalg.det(change)
    sign = np.sign(determinant)
    return np.sqrt(abs(determinant)), np.degrees(np.arctan2(-change[0, 1], change[1, 1])), sign


def test_nothing_to_do_is_the_plain_cut():
    affine, mirror = draw()
    np.testing.assert_allclose(affine, PLAIN.affine(BOX))
    assert mirror is False


def test_rotation_turns_about_the_centre_within_its_limit():
    angles = []
    for seed in range(200):
        affine, _ = draw(seed, rotation_p=1.0, rotation_degrees=40.0)
        scale, angle, sign = parts(affine)
        assert (scale, sign) == (pytest.approx(1), 1)
        np.testing.assert_allclose(transform(affine, np.array([31.5, 47.5])), (120, 90))
        angles.append(angle)
    assert -40 <= min(angles) < -35
    assert 35 < max(angles) <= 40


def test_scaling_above_one_makes_subjects_grow():
    scales = [parts(draw(seed, scaling_p=1.0, scaling=(0.5, 2.0))[0])[0] for seed in range(200)]
    assert 0.5 <= min(scales) < 0.55
    assert 1.8 < max(scales) <= 2.0
    assert np.median(np.log(scales)) == pytest.approx(0, abs=0.2)  # as often larger as smaller
    affine, _ = draw(0, scaling_p=1.0, scaling=(2.0, 2.0))
    grown = transform(invert(affine), JOINTS)
    plain = transform(invert(PLAIN.affine(BOX)), JOINTS)
    np.testing.assert_allclose(np.ptp(grown, axis=0), 2 * np.ptp(plain, axis=0), rtol=1e-6)


def test_shift_is_a_share_of_the_input():
    centres = np.array(
        [transform(invert(draw(seed, shift_p=1.0, shift=0.25)[0]), np.array([120.0, 90.0])) for seed in range(200)]
    )
    moved = np.abs(centres - [31.5, 47.5]).max(axis=0)
    assert 0.22 * 64 < moved[0] <= 0.25 * 64
    assert 0.22 * 96 < moved[1] <= 0.25 * 96


def test_a_mirror_image_turns_x_about_the_centre_of_the_input():
    affine, mirror = draw(flip_p=1.0)
    assert mirror is True
    plain = transform(invert(PLAIN.affine(BOX)), JOINTS)
    flipped = transform(invert(affine), JOINTS)
    np.testing.assert_allclose(flipped, np.stack([63 - plain[:, 0], plain[:, 1]], axis=1))


def test_mirrors_come_about_as_often_as_told():
    count = sum(draw(seed, flip_p=0.3)[1] for seed in range(500))
    assert 110 < count < 190


def test_a_changed_chance_moves_no_other_draw():
    alone, _ = draw(7, rotation_p=1.0)
    beside, mirror = draw(7, rotation_p=1.0, flip_p=1.0)
    assert mirror
    assert parts(alone)[1] == pytest.approx(parts(beside)[1])


@pytest.mark.parametrize("lower", [False, True])
def test_half_of_an_upright_subject_is_its_upper_or_lower_one(lower):
    x, y, width, height = half_box(BOX, JOINTS, 8, lower=lower)
    half = JOINTS[5:] if lower else JOINTS[:5]
    assert ((half >= (x, y)) & (half <= (x + width, y + height))).all()
    np.testing.assert_allclose((x + width / 2, y + height / 2), (half.min(axis=0) + half.max(axis=0)) / 2)
    assert min(width, height) == pytest.approx(40)  # half of the longer edge at least


def test_half_of_a_lying_subject_is_parted_along_x():
    lying = JOINTS[:, ::-1].copy()
    x, _, width, _ = half_box((50.0, 100.0, 80.0, 40.0), lying, 8, lower=True)
    inside = (lying[:, 0] >= x) & (lying[:, 0] <= x + width)
    assert inside.tolist() == [False] * 5 + [True] * 5


def test_few_labelled_joints_are_not_halved():
    assert half_box(BOX, JOINTS[:7], 8, lower=True) == BOX
    visibility = SEEN.copy()
    visibility[:3] = 0
    affine, _ = draw(half_body_p=1.0, visibility=visibility)
    np.testing.assert_allclose(affine, PLAIN.affine(BOX))
    halves = {tuple(draw(seed, half_body_p=1.0)[0].ravel()) for seed in range(20)}
    assert len(halves) == 2


def test_joints_in_one_place_are_halved_without_harm():
    x, y, width, height = half_box(BOX, np.full((9, 2), 110.0, np.float32), 8, lower=False)
    assert (width, height) == (40, 40)
    assert (x, y) == (90, 90)


def test_whole_images_are_never_halved():
    whole = PosePreprocessing((64, 96), "image")
    affine, _ = draw(preprocessing=whole, half_body_p=1.0)
    np.testing.assert_allclose(affine, whole.affine(BOX))
