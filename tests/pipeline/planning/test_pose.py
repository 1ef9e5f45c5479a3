import dataclasses

import pytest

from pipeline.config.errors import UsageError
from pipeline.planning.noted import plain
from pipeline.planning.pose import plan_pose, sigma_of
from pipeline.planning.pose_fingerprint import PosePrint


@pytest.fixture(scope="module")
def persons(write_persons, tmp_path_factory):
    return write_persons(tmp_path_factory.mktemp("data") / "persons")


@pytest.fixture
def found():
    return PosePrint(
        subjects=40,
        images=40,
        groups=40,
        format="coco",
        joints=("a", "b"),
        labelled=1.0,
        pairs=(),
        lonely=(),
        persons=False,
        subject=("image", ""),
        image_px=(256.0, 256.0),
        box_px=(256.0, 256.0),
        extent_px=100.0,
        nearest_px=18.0,
        turned_degrees=5.0,
        axis=("a", "b"),
    )


def test_persons_in_boxes_get_an_hourglass(persons, make_options):
    plan = plan_pose(make_options(persons))
    config = plain(plan.tree)
    data = config["data"]["init_args"]
    assert config["model"]["class_path"] == "PoseTask"
    assert data["format"] == "coco"
    assert data["subject"] == "box"
    assert data["split"] == {"folds": 5}
    assert data["augmentation"]["flip_p"] == 0.5
    assert 15 <= data["augmentation"]["rotation_degrees"] <= 60
    assert all(edge % 64 == 0 for edge in data["input_size"])
    assert [name for name, _ in plan.summary] == ["input", "network", "batch", "measured", "training", "then"]
    assert "12 labelled subjects are few" in plan.warnings[-1]


def test_options_for_volumes_are_refused(persons, make_options):
    with pytest.raises(UsageError, match="holds keypoints"):
        plan_pose(make_options(persons, labels={"a": 1}))


@pytest.mark.parametrize(("nearest", "sigma"), [(4.0, 1.0), (18.0, 1.5), (90.0, 2.0)])
def test_the_target_is_as_wide_as_joints_lie_apart(nearest, sigma, found):
    assert sigma_of(dataclasses.replace(found, nearest_px=nearest), (256, 256)).value == sigma


@pytest.mark.parametrize(
    ("changes", "degrees", "flip"),
    [
        ({}, 15, 0.5),
        ({"turned_degrees": 90.0}, 180, 0.5),
        ({"turned_degrees": 90.0, "persons": True}, 50, 0.5),
        ({"turned_degrees": 150.0, "persons": True}, 60, 0.5),
        ({"lonely": ("paw_l",)}, 15, 0.0),
        ({"pairs": (("l", "r"),)}, 15, 0.5),
    ],
)
def test_turns_and_mirrors_follow_the_subjects(changes, degrees, flip, found):
    from pipeline.planning.pose import _flip, _rotation

    told = dataclasses.replace(found, **changes)
    assert (_rotation(told).value, _flip(told).value) == (degrees, flip)


def test_sizes_vary_by_what_was_found_and_not_by_a_guess(found):
    from pipeline.planning.pose import _scaling

    told = _scaling(dataclasses.replace(found, spread=(0.8, 1.3)))
    assert told.value == [0.8, 1.3]
    assert "0.80 to 1.30 times the median" in told.reason
    assert _scaling(dataclasses.replace(found, spread=(0.1, 9.0))).value == [0.6, 1.4]
    assert _scaling(dataclasses.replace(found, subject=("box", ""))).reason.startswith("a default")


def test_the_last_validation_is_told(persons, make_options):
    assert any("the last validation, of 3 subjects" in line for line in plan_pose(make_options(persons)).header)
