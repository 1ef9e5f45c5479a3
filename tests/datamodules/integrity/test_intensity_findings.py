from dataclasses import replace

import numpy as np
import pytest

from datamodules.integrity.facts import ChannelFacts
from datamodules.integrity.intensity_findings import findings_of_intensities, is_ct


def found(facts, *names):
    return [(finding.code, finding.severity, finding.cases) for finding in findings_of_intensities(facts, names)]


def values(least, most, low=None, high=None, **changes):
    """An image of values from `least` to `most`, most of them from `low` to `high`."""
    channel = ChannelFacts(least, most, 0.0, 1.0, 0, np.zeros(64, np.int64), **changes)
    limits = (least if low is None else low, most if high is None else high)
    return {"channels": (channel,), "limits": (limits,)}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (values(0.0, 0.0), "empty-channel"),
        (values(5.0, 5.0), "constant-channel"),
        (values(0.0, 255.0), "implausible-hu"),
        (values(0.0, 1.0), "implausible-hu"),
        (values(0.0, 4000.0), "implausible-hu"),
        (values(-300.0, 2500.0, 10.0, 1900.0), "implausible-hu"),  # 1024 too high but for one voxel
        (values(-9000.0, 3000.0, -1000.0, 1000.0), "implausible-hu"),
        (values(-1024.0, 6e4, -1000.0, 6e4), "implausible-hu"),
        (values(-1024.0, 6e4, -1000.0, 800.0), "implausible-hu"),
        (values(-1024.0, 1e30, -1000.0, 800.0), "implausible-hu"),
    ],
)
def test_values_that_a_ct_does_not_have(make_facts, image, expected):
    codes = {code: cases for code, _, cases in found([make_facts("a"), make_facts("b", **image)], "CT")}
    assert codes[expected] == ("b",)
    assert set(codes) <= {expected, "stray-values"}


@pytest.mark.parametrize(
    "image",
    [
        values(-2048.0, 30000.0, -1000.0, 3000.0),  # metal
        values(-30.0, 300.0, 5.0, 190.0),  # cropped to the inside of an organ
    ],
)
def test_values_that_a_ct_may_have_are_no_warning(make_facts, image):
    assert [severity for _, severity, _ in found([make_facts("b", **image)], "CT") if severity != "note"] == []


def test_a_ct_that_is_cropped_to_the_inside_of_the_body_is_a_note(make_facts):
    assert found([make_facts("b", **values(-140.0, 235.0))], "CT") == [("no-air", "note", ("b",))]


def test_values_of_other_channels_are_no_hounsfield_units(make_facts):
    assert found([make_facts("a", **values(0.0, 255.0))], "T1") == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("CT", True),
        ("ct_venous", True),
        ("CT 1", True),
        ("PET/CT", True),
        ("CTA", True),
        ("cbct", True),
        ("HU", True),
        ("Computed Tomography", True),
        ("T1", False),
        ("octopus", False),
        ("micro-CT", False),
    ],
)
def test_which_names_mean_ct(name, says):
    assert is_ct(name) == says


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"blank_share": 7 / 12, "blank_gaps": 0}, True),
        ({"blank_share": 1 / 12, "blank_gaps": 1}, True),
        ({"blank_share": 0.4, "blank_gaps": 0}, False),  # a margin at both ends
    ],
)
def test_lost_slices_are_told_from_margins(make_facts, changes, told):
    facts = [make_facts("b", **values(0.0, 900.0, **changes))]
    assert found(facts, "T1") == ([("blank-slices", "warning", ("b",))] if told else [])


def test_single_voxels_far_beyond_the_rest_are_told(make_facts):
    assert found([make_facts("b", **values(0.0, 1e30, 0.0, 900.0))], "T1") == [("stray-values", "warning", ("b",))]
    assert found([make_facts("b", **values(-9e6, 900.0, 0.0, 900.0))], "T1") == [("stray-values", "warning", ("b",))]
    assert found([make_facts("b", **values(0.0, 9e4, 0.0, 900.0))], "PET") == []
    assert found([make_facts("b", **values(0.0, 5.0, 0.0, 0.0))], "T1") == []  # a sparse image has no width


@pytest.mark.parametrize(("names", "severity"), [(("T1", "T2", "PET"), "warning"), (("red", "green", "blue"), "note")])
def test_equal_channels_of_a_case_are_told_but_grey_colours_are_sound(make_facts, names, severity):
    one = replace(make_facts().channels[0], voxels="x")
    facts = make_facts("b", limits=((-1000.0, 1000.0),) * 3, channels=(one, replace(one, voxels="y"), one))
    assert found([facts], *names) == [("equal-channels", severity, ("b",))]


def test_an_image_that_is_its_label_is_told(make_facts):
    assert found([make_facts("b", **values(0.0, 255.0, copies_label=True))], "T1") == [
        ("image-is-label", "warning", ("b",))
    ]
