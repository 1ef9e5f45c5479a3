import cv2
import numpy as np
import pytest

from datamodules.keypoints import PoseListing, PoseSample, Skeleton
from pipeline.planning.pose_fingerprint import take_pose_fingerprint

NAMES = ("snout", "left_ear", "right_ear", "tail")
SHAPE = np.array([[0, 0], [10, 6], [10, -6], [60, 0]], dtype=np.float64)


@pytest.fixture
def make_listing(tmp_path):
    """Return a function that makes annotated frames of a mouse at some angles."""

    def make(degrees, *, names=NAMES, pairs=((1, 2),), boxes=False, format="deeplabcut"):
        samples = []
        for number, angle in enumerate(np.deg2rad(degrees)):
            image = tmp_path / f"f{number}.png"
            cv2.imwrite(str(image), np.zeros((120, 200, 3), np.uint8))
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            points = (SHAPE[: len(names)] @ turn.T + (100, 60)).astype(np.float32)
            box = (40.0, 10.0, 60.0, 80.0) if boxes else None
            seen = np.full(len(names), 2, np.uint8)
            samples.append(PoseSample(f"f{number}", f"f{number}", image, points, seen, box))
        return PoseListing(tuple(samples), Skeleton(names, pairs=pairs), format)

    return make


def test_frames_of_an_animal_in_numbers(make_listing):
    found = take_pose_fingerprint(make_listing([0, 10, -10]))
    assert (found.subjects, found.images, found.groups) == (3, 3, 3)
    assert found.image_px == (200, 120)
    assert found.subject[0] == "image"
    assert found.extent_px == pytest.approx(60, abs=2)
    assert found.nearest_px == pytest.approx(12, abs=0.5)
    assert found.axis in (("snout", "tail"), ("tail", "snout"))
    assert found.turned_degrees == pytest.approx(8, abs=2)
    assert found.pairs == (("left_ear", "right_ear"),)
    assert not found.persons
    assert any("left_ear/right_ear" in line for line in found.lines())


def test_animals_that_turn_all_around_have_no_upright(make_listing):
    assert take_pose_fingerprint(make_listing(range(0, 360, 30))).turned_degrees > 90


def test_boxes_are_what_is_cut_out_where_there_are_any(make_listing):
    found = take_pose_fingerprint(make_listing([0, 5], boxes=True))
    assert found.subject[0] == "box"
    assert found.box_px == (60, 80)


def test_persons_are_told_by_their_limbs_or_the_format(make_listing):
    limbs = ("left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle")
    assert take_pose_fingerprint(make_listing([0], names=limbs[:4], pairs=(), format="lsp")).persons
    assert not take_pose_fingerprint(make_listing([0], names=limbs[:4], pairs=())).persons


def test_a_side_without_partner_is_told(make_listing):
    names = ("snout", "left_ear", "paw_r", "tail")
    assert take_pose_fingerprint(make_listing([0, 5], names=names, pairs=())).lonely == ("left_ear", "paw_r")
