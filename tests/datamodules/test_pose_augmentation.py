from dataclasses import fields

import pytest

from datamodules.pose_augmentation import PoseAugmentation


@pytest.mark.parametrize("name", [item.name for item in fields(PoseAugmentation) if item.name.endswith("_p")])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_chance_outside_of_0_to_1_is_refused_by_its_key(name, value):
    with pytest.raises(ValueError, match=rf"data\.augmentation\.{name}: expected a probability"):
        PoseAugmentation(**{name: value})


@pytest.mark.parametrize("name", ["scaling", "gamma", "blur_sigma_px", "occlusion_size"])
@pytest.mark.parametrize("value", [(0.0, 1.0), (0.9, 0.5), (0.5, float("inf")), (float("nan"), 1.0)])
def test_a_range_that_is_none_is_refused_by_its_key(name, value):
    with pytest.raises(ValueError, match=rf"data\.augmentation\.{name}: expected two numbers over 0"):
        PoseAugmentation(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rotation_degrees", 181.0, "from 0 to 180"),
        ("rotation_degrees", -1.0, "from 0 to 180"),
        ("shift", 1.5, "from 0 to 1"),
        ("brightness", float("nan"), "from 0 to 1"),
        ("noise_std", -0.1, "from 0 to 1"),
        ("half_body_joints", 1, "2 or more"),
        ("occlusion_count", 0, "1 or more"),
        ("occlusion_size", (0.5, 1.5), "1 at most"),
    ],
)
def test_a_strength_out_of_bounds_is_refused_by_its_key(name, value, expected):
    with pytest.raises(ValueError, match=rf"data\.augmentation\.{name}: expected .*{expected}"):
        PoseAugmentation(**{name: value})


def test_a_view_from_above_may_turn_all_the_way():
    assert PoseAugmentation(rotation_degrees=180).rotation_degrees == 180
