from dataclasses import replace

import numpy as np
import pytest

from datamodules.figure_body import ARMS, HEAD_TOP, JOINTS, LEGS, NECK, Build, Limb, Part, Pose, pose_body
from datamodules.figure_canvas import SCALE, Canvas, Surface
from datamodules.figure_look import Look
from datamodules.figure_painting import paint_body

SPREAD, ASTRIDE = Limb(75, 0, 0, 10), Limb(25, 0, 0, 0)
POSE = Pose((0, 0, 0), (0, 0, 0), (0, 0, 0), (SPREAD, SPREAD), (ASTRIDE, ASTRIDE))
RED, GREEN, BLUE = (240.0, 0.0, 0.0), (0.0, 240.0, 0.0), (0.0, 0.0, 240.0)
LOOK = Look(RED, BLUE, Surface(GREEN), Surface(BLUE), BLUE, RED, 0.0, 0.0, 70.0)


def painted(pose=POSE, look=LOOK, origin=(95.3, 100.6), stature=150.0):
    canvas = Canvas(np.zeros((200 * SCALE, 200 * SCALE, 3), np.uint8), np.array([0.2, -0.3, -1.0]))
    body = pose_body(Build(), pose)
    return canvas, paint_body(canvas, body, look, np.array(origin), stature), body


def region(canvas, owner):
    rows, columns = np.nonzero(canvas.owner == owner)
    return (np.stack([columns, rows], axis=1) + 0.5) / SCALE - 0.5


@pytest.mark.parametrize("origin", [(95.3, 100.6), (95.0, 100.0), (94.77, 100.21)])
@pytest.mark.parametrize("turn", [0.0, 24.0, 180.0])
def test_bones_lie_on_their_joints_to_a_tenth_of_a_pixel(origin, turn):
    canvas, joints, _ = painted(replace(POSE, body=(turn, 0.0, 4.0)), origin=origin)
    for limbs, part in ((ARMS, Part.FOREARM), (LEGS, Part.SHIN)):
        for side, (_, middle, end) in enumerate(limbs):
            points = region(canvas, part + side)
            along = joints[end] - joints[middle]
            length = np.hypot(*along)
            share = (points - joints[middle]) @ along / length**2
            points = points[(share > 0.2) & (share < 0.8)]  # where no other part covers it
            across = (points - joints[middle]) @ np.array([-along[1], along[0]]) / length
            assert len(points) > 300
            assert abs(across.mean()) < 0.1


@pytest.mark.parametrize("size", [120.0, 150.0])
def test_the_top_of_the_head_is_its_highest_pixel(size):
    canvas, joints, _ = painted(stature=size)
    head = region(canvas, Part.HEAD)
    assert head[:, 1].min() - 0.5 / SCALE == pytest.approx(joints[HEAD_TOP, 1], abs=0.3)
    assert head[:, 0].mean() == pytest.approx(joints[HEAD_TOP, 0], abs=0.1)


def test_every_part_of_an_open_pose_is_seen():
    canvas, _, _ = painted()
    assert set(np.unique(canvas.owner)) == set(range(17))


def test_the_front_has_a_face_and_a_badge_and_the_back_has_not():
    for turn, seen in ((0.0, True), (180.0, False)):
        canvas, _, _ = painted(replace(POSE, body=(turn, 0.0, 0.0)))
        for part in (Part.TRUNK, Part.HEAD):
            colours = canvas.fine[canvas.owner == part].astype(int)
            red = (colours[:, 0] > colours[:, 1]) & (colours[:, 0] > colours[:, 2])
            assert red.any() == seen


def test_no_colour_tells_left_from_right():
    # An open symmetric pose in light from the camera is its own mirror image, from the front and from behind.
    for turn in (0.0, 180.0):
        canvas = Canvas(np.zeros((200 * SCALE, 201 * SCALE, 3), np.uint8), np.array([0.0, -0.3, -1.0]))
        body = pose_body(Build(), replace(POSE, body=(turn, 0.0, 0.0)))
        paint_body(canvas, body, replace(LOOK, sleeves=0.6, trousers=0.6), np.array([100.0, 100.0]), 150.0)
        different = np.abs(canvas.fine.astype(int) - canvas.fine[:, ::-1]).max(axis=2) > 3
        assert different.sum() < 0.01 * (canvas.owner > 0).sum()  # some of the outline's fine pixels


def test_the_nearer_part_covers_the_farther():
    reach, hands_behind = Limb(0, 60, 45, 60), Limb(5, -45, 60, 90)
    front, _, _ = painted(replace(POSE, arms=(reach, reach)))
    back, _, _ = painted(replace(POSE, arms=(hands_behind, hands_behind)))
    assert len(region(front, Part.FOREARM)) > 2 * len(region(back, Part.FOREARM))
    turned, _, _ = painted(replace(POSE, body=(180.0, 0, 0), arms=(hands_behind, hands_behind)))
    assert len(region(turned, Part.FOREARM)) > 2 * len(region(back, Part.FOREARM))


def test_sleeves_and_trousers_end_where_the_look_says():
    def share(look, part):
        canvas, _, _ = painted(look=look)
        colours = canvas.fine[canvas.owner == part].astype(int)
        return float((colours[:, 0] > colours[:, 1:].max(axis=1)).mean())

    bare, half, long = (replace(LOOK, sleeves=length, trousers=length) for length in (0.0, 0.6, 2.0))
    for part in (Part.UPPER_ARM, Part.THIGH):
        assert share(bare, part) == 1
        assert 0.1 < share(half, part) < 0.6
        assert share(long, part) == 0
    assert share(long, Part.SHIN) == 0
    assert share(half, Part.SHIN) == 1


def test_joints_are_where_the_body_was_put():
    _, joints, body = painted(origin=(60.25, 80.5), stature=100.0)
    np.testing.assert_allclose(joints, 100 * body.joints[:, :2] + (60.25, 80.5))
    assert joints.shape == (len(JOINTS), 2)
    assert joints[NECK, 1] < 80.5
