import numpy as np

from datamodules.figure_body import Build, pose_body
from datamodules.figure_poses import draw_pose


def poses(count):
    rng = np.random.default_rng(1)
    return [draw_pose(rng) for _ in range(count)]


def test_persons_are_seen_from_the_front_and_the_back_but_not_from_the_side():
    turns = np.array([pose.body[0] for pose in poses(400)])
    front, back = np.abs(turns) <= 60, np.abs(turns - 180) <= 60
    assert (front | back).all()
    assert 0.55 < front.mean() < 0.75
    assert turns[front].std() > 15


def test_joints_stay_in_their_reach():
    for pose in poses(400):
        for arm in pose.arms:
            assert 0 <= arm.spread <= 172
            assert 0 <= arm.bend <= 130
        for leg in pose.legs:
            assert 0 <= leg.spread <= 35
            assert 0 <= leg.bend <= 115
            assert -25 <= leg.swing <= 90
        assert np.abs(pose.spine).max() <= 30
        assert np.abs(pose.head).max() <= 45


def test_persons_stand_upright_or_lean_with_arms_down_and_up():
    bodies = [pose_body(Build(), pose) for pose in poses(300)]
    joints = np.array([body.joints for body in bodies])
    assert (joints[:, 13, 1] < joints[:, [2, 3], 1].mean(axis=1)).all()  # nobody stands on the head
    lifted = joints[:, 6, 1] < joints[:, 8, 1]
    assert 0.1 < lifted.mean() < 0.6
    leaning = np.array([abs(pose.body[2]) for pose in poses(300)])
    assert 0.05 < (leaning > 15).mean() < 0.4


def test_equal_seeds_give_equal_poses():
    assert poses(5) == poses(5)
    assert len(set(poses(50))) == 50
