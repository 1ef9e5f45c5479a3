from dataclasses import replace

import numpy as np
import pytest

from datamodules.figure_body import (
    ARMS,
    EDGES,
    HEAD_TOP,
    JOINTS,
    LEGS,
    NECK,
    Build,
    Limb,
    Pose,
    draw_build,
    pose_body,
)

STRAIGHT = Limb(0, 0, 0, 0)
STANDING = Pose((0, 0, 0), (0, 0, 0), (0, 0, 0), (STRAIGHT, STRAIGHT), (STRAIGHT, STRAIGHT))
BUILD = Build()


def joint(body, name):
    return body.joints[JOINTS.index(name)]


@pytest.mark.shared_data
def test_names_and_limbs_are_those_of_the_photographs(shared_data):
    import json

    category = json.loads((shared_data / "sports_pose" / "annotations.json").read_text())["categories"][0]
    assert tuple(category["keypoints"]) == JOINTS
    assert {tuple(sorted(edge)) for edge in category["skeleton"]} == {tuple(sorted((a + 1, b + 1))) for a, b in EDGES}


def test_limbs_are_named_from_the_trunk_outwards():
    for limbs, names in ((ARMS, ("shoulder", "elbow", "wrist")), (LEGS, ("hip", "knee", "ankle"))):
        for limb, side in zip(limbs, ("right", "left"), strict=True):
            assert [JOINTS[index] for index in limb] == [f"{side}_{name}" for name in names]
    assert (JOINTS[NECK], JOINTS[HEAD_TOP]) == ("neck", "head_top")


def test_a_standing_person_is_as_tall_as_the_stature():
    body = pose_body(BUILD, STANDING)
    height = body.joints[:, 1].max() - body.joints[:, 1].min()
    assert height == pytest.approx(0.96, abs=0.01)  # the foot's height is below the ankle
    assert np.abs(body.joints[:, 2]).max() < 1e-9
    np.testing.assert_allclose(joint(body, "left_hip") + joint(body, "right_hip"), 0, atol=1e-9)


def test_the_left_side_is_at_the_right_of_the_image_from_the_front_and_at_its_left_from_behind():
    front, back = (pose_body(BUILD, replace(STANDING, body=(turn, 0, 0))) for turn in (0, 180))
    for name in ("shoulder", "hip", "wrist"):
        assert joint(front, f"left_{name}")[0] > 0 > joint(front, f"right_{name}")[0]
        assert joint(back, f"left_{name}")[0] < 0 < joint(back, f"right_{name}")[0]
    assert front.toes[:, 2].max() < 0 < back.toes[:, 2].min()  # towards the camera, and away from it


def test_angles_turn_the_limbs_as_they_say():
    def wrist(limb):
        body = pose_body(BUILD, replace(STANDING, arms=(STRAIGHT, limb)))
        return joint(body, "left_wrist") - joint(body, "left_elbow")

    down, out, forward = np.array([0, 1, 0]), np.array([1, 0, 0]), np.array([0, 0, -1])
    for limb, direction in (
        (STRAIGHT, down),
        (Limb(90, 0, 0, 0), out),
        (Limb(180, 0, 0, 0), -down),
        (Limb(0, 90, 0, 0), forward),
        (Limb(0, 0, 0, 90), forward),
        (Limb(0, 0, 90, 90), -out),  # twisted inward
        (Limb(90, 0, -90, 90), -down),  # a waving hand
    ):
        np.testing.assert_allclose(wrist(limb), BUILD.forearm * direction, atol=1e-9)


def test_a_knee_bends_backward():
    body = pose_body(BUILD, replace(STANDING, legs=(Limb(0, 0, 0, 90), STRAIGHT)))
    np.testing.assert_allclose(joint(body, "right_ankle") - joint(body, "right_knee"), [0, 0, BUILD.shin], atol=1e-9)


def test_both_sides_mirror_each_other():
    limb, leg = Limb(70, 20, 30, 50), Limb(20, 30, -15, 40)
    body = pose_body(BUILD, replace(STANDING, arms=(limb, limb), legs=(leg, leg)))
    for limbs in (ARMS, LEGS):
        for right, left in zip(*limbs, strict=True):
            np.testing.assert_allclose(body.joints[right] * (-1, 1, 1), body.joints[left], atol=1e-9)
    np.testing.assert_allclose(body.hands[0] * (-1, 1, 1), body.hands[1], atol=1e-9)
    np.testing.assert_allclose(body.toes[0] * (-1, 1, 1), body.toes[1], atol=1e-9)


def test_bones_keep_their_lengths_in_every_pose():
    rng = np.random.default_rng(3)
    for _ in range(20):
        arm, leg = Limb(*rng.uniform(-90, 90, 4)), Limb(*rng.uniform(-90, 90, 4))
        angles = [tuple(rng.uniform(-90, 90, 3)) for _ in range(3)]
        body = pose_body(BUILD, Pose(*angles, (arm, arm), (leg, leg)))
        for a, b, length in (
            ("right_shoulder", "right_elbow", BUILD.upper_arm),
            ("left_elbow", "left_wrist", BUILD.forearm),
            ("left_hip", "left_knee", BUILD.thigh),
            ("right_knee", "right_ankle", BUILD.shin),
            ("neck", "head_top", BUILD.head),
            ("left_shoulder", "right_shoulder", BUILD.shoulders),
        ):
            assert np.linalg.norm(joint(body, a) - joint(body, b)) == pytest.approx(length)


def test_builds_vary_within_human_limits():
    rng = np.random.default_rng(0)
    builds = [draw_build(rng) for _ in range(200)]
    for name, mean in vars(BUILD).items():
        values = np.array([getattr(build, name) for build in builds])
        assert values.mean() == pytest.approx(mean, rel=0.03)
        assert 0.02 < values.std() / mean < 0.2
        assert values.min() >= 0.75 * mean
