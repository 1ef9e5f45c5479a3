from dataclasses import replace

import numpy as np

from datamodules.figure_body import JOINTS, Build, Limb, Pose, pose_body
from datamodules.figure_canvas import OBJECT, SCALE, Canvas, Surface
from datamodules.figure_look import draw_look
from datamodules.figure_painting import paint_body
from datamodules.figure_visibility import joint_visibility

OPEN = Pose((0, 0, 0), (0, 0, 0), (0, 0, 0), (Limb(60, 0, 0, 10),) * 2, (Limb(15, 0, 0, 5),) * 2)


def seen(pose=OPEN, origin=(100.0, 100.0), cover=None):
    canvas = Canvas(np.zeros((200 * SCALE, 200 * SCALE, 3), np.uint8), np.array([0.2, -0.3, -1.0]))
    body = pose_body(Build(), pose)
    joints = paint_body(canvas, body, draw_look(np.random.default_rng(0), 140.0), np.array(origin), 140.0)
    if cover is not None:
        canvas.disc(joints[JOINTS.index(cover)], 5.0, Surface((90.0, 90.0, 90.0)), OBJECT)
    return dict(zip(JOINTS, joint_visibility(canvas, body, joints).tolist(), strict=True))


def test_all_joints_of_an_open_pose_show_from_the_front_and_from_behind():
    assert set(seen().values()) == {2}
    assert set(seen(replace(OPEN, body=(180.0, 0, 0))).values()) == {2}


def test_a_joint_under_an_object_is_hidden():
    for name in JOINTS:
        visibility = seen(cover=name)
        assert visibility.pop(name) == 1
        others = {key for key, value in visibility.items() if value == 1}
        assert len(others) <= 1  # two joints may lie close together


def test_a_wrist_behind_the_back_is_hidden_and_seen_from_behind():
    pose = replace(OPEN, arms=(Limb(60, 0, 0, 10), Limb(5, -40, 60, 90)))
    assert seen(pose)["left_wrist"] == 1
    assert seen(pose)["right_wrist"] == 2
    assert seen(replace(pose, body=(180.0, 0, 0)))["left_wrist"] == 2


def test_a_hip_behind_an_arm_is_hidden():
    pose = replace(OPEN, arms=(Limb(60, 0, 0, 10), Limb(-6, 8, 20, 0)))
    assert seen(pose)["left_hip"] == 1
    assert seen(pose)["right_hip"] == 2


def test_the_far_shoulder_and_hip_are_hidden_in_profile():
    for turn, near, far in ((60.0, "left", "right"), (-60.0, "right", "left")):
        visibility = seen(replace(OPEN, body=(turn, 0, 0), arms=(Limb(20, 50, 0, 0), Limb(20, 50, 0, 0))))
        assert (visibility[f"{near}_shoulder"], visibility[f"{near}_hip"]) == (2, 2)
        assert (visibility[f"{far}_shoulder"], visibility[f"{far}_hip"]) == (1, 1)


def test_joints_outside_of_the_image_are_not_labelled():
    visibility = seen(origin=(100.0, 150.0))
    assert {name for name, value in visibility.items() if value == 0} == {"left_ankle", "right_ankle"}
    assert visibility["left_knee"] == 2
