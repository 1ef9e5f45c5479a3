import json

import cv2
import numpy as np
import pytest

from datamodules.integrity.check_result import CheckSettings
from datamodules.integrity.poses import check_poses, holds_poses

NAMES = ["nose", "left ear", "right ear", "tail"]
WIDTH, HEIGHT = 64, 48


def points(number):
    return [[10 + number, 12], [20, 14 + number], [30, 8], [40, 40]]


class Poses:
    """A COCO data set of six images with one subject each."""

    def __init__(self, root):
        self.root = root
        (root / "images").mkdir(parents=True)
        self.content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "mouse", "keypoints": NAMES}]}
        for number in range(6):
            image = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
            cv2.imwrite(str(self.image(number)), image)
            name = self.image(number).name
            self.content["images"].append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
            self.content["annotations"].append({"id": number, "image_id": number, "category_id": 1})
            self.put(number, [[*point, 2] for point in points(number)])

    def image(self, number):
        return self.root / "images" / f"f{number}.png"

    def put(self, number, joints):
        visible = sum(joint[2] > 0 for joint in joints)
        flat = [float(value) for joint in joints for value in joint]
        self.content["annotations"][number] |= {"keypoints": flat, "num_keypoints": visible}
        (self.root / "annotations.json").write_text(json.dumps(self.content))

    def copy_image(self, source, target):
        self.image(target).write_bytes(self.image(source).read_bytes())


def found(poses, **settings):
    outcome = check_poses(poses.root, CheckSettings(**({"folds": 2} | settings)), 1)
    return {(finding.code, finding.severity, finding.cases) for finding in outcome.findings}


@pytest.fixture
def poses(tmp_path):
    return Poses(tmp_path / "set")


def test_a_sound_set_has_no_findings_and_is_summed_up(poses):
    outcome = check_poses(poses.root, CheckSettings(folds=2), 1)
    assert outcome.findings == ()
    assert (outcome.kind, outcome.layout, outcome.verdict) == ("pose", "coco", "ready for training")
    assert outcome.case_ids == tuple(f"f{number}" for number in range(6))
    assert outcome.summary["joints"] == dict.fromkeys(NAMES, 6)
    assert outcome.summary["largest_image_px"] == (WIDTH, HEIGHT)
    assert len(outcome.splits) == 2


FAULTS = {
    "F01 cut short": (
        lambda p: p.image(1).write_bytes(p.image(1).read_bytes()[:-300]),
        {("unreadable-image", "error", ("f1",))},
    ),
    "image missing": (lambda p: p.image(1).unlink(), {("annotations", "error", ())}),
    "F17 one image twice": (lambda p: p.copy_image(1, 2), {("duplicate-image", "error", ("f1", "f2"))}),
    "all joints outside": (
        lambda p: p.put(1, [[x + 500, y, 2] for x, y in points(1)]),
        {("outside-image", "warning", ("f1",))},
    ),
    "a joint far outside": (
        lambda p: p.put(1, [[-40, 5, 2], *([x, y, 2] for x, y in points(1)[1:])]),
        {("joints-far-outside", "warning", ("f1",))},
    ),
    "a joint outside": (
        lambda p: p.put(1, [[66, 5, 2], *([x, y, 2] for x, y in points(1)[1:])]),
        {("joints-outside", "note", ("f1",))},
    ),
    "joints copied": (
        lambda p: p.put(1, [[*point, 2] for point in points(2)]),
        {("duplicate-label", "warning", ("f1", "f2"))},
    ),
    "a joint that no subject has": (
        lambda p: [p.put(n, [*([x, y, 2] for x, y in points(n)[:3]), [0, 0, 0]]) for n in range(6)],
        {("class-missing", "warning", ())},
    ),
    "a joint of one subject": (
        lambda p: [p.put(n, [*([x, y, 2] for x, y in points(n)[:3]), [0, 0, 0]]) for n in range(5)],
        {("class-missing-from-fold", "warning", ())},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(fault, poses):
    plant, expected = FAULTS[fault]
    plant(poses)
    assert found(poses) == expected


def test_f17_equal_images_of_one_group_are_a_warning(poses):
    poses.copy_image(1, 2)
    pattern = "f[12]()|f(.)"
    assert ("annotations", "error", ()) in found(poses, group_pattern=pattern)  # a pattern without a group for some
    assert found(poses, group_pattern="([fF])") == {
        ("duplicate-image", "warning", ("f1", "f2")),
        ("folds", "error", ()),  # one group cannot be split
    }


def test_fewer_groups_than_folds_are_a_fold_each(poses):
    assert len(check_poses(poses.root, CheckSettings(folds=9), 1).splits) == 6


def test_poses_are_told_from_volumes(poses, tmp_path, write_dataset):
    assert holds_poses(poses.root)
    assert holds_poses(poses.root / "annotations.json")
    assert not holds_poses(write_dataset(tmp_path / "volumes", ["a"]))
    assert not holds_poses(tmp_path / "nowhere")


def test_what_the_annotations_reader_leaves_out_is_told(poses):
    poses.put(2, [[0, 0, 0]] * 4)
    outcome = check_poses(poses.root, CheckSettings(folds=2), 1)
    (finding,) = outcome.findings
    assert (finding.code, finding.severity) == ("left-out", "note")
    assert "annotations left out: 1" in finding.message
    assert len(outcome.case_ids) == 5
