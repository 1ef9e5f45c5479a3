from dataclasses import replace

import numpy as np

from datamodules.integrity.facts import ChannelFacts
from datamodules.integrity.twins import doubled_channels, doubled_images, doubled_labels, is_blank

BLANK = ChannelFacts(0.0, 0.0, 0.0, 0.0, 0, np.zeros(64, np.int64), voxels="zeros")


def cases(make_facts, **changes):
    return [make_facts(case, **change) for case, change in changes.items()]


def test_f17_the_same_voxels_twice_are_an_error(make_facts):
    facts = cases(make_facts, a={"voxels": "x"}, b={}, c={"voxels": "x"}, d={"voxels": "x"})
    (finding,) = doubled_images(facts, {})
    assert (finding.code, finding.severity, finding.cases) == ("duplicate-image", "error", ("a", "c", "d"))


def test_f17_test_images_are_compared_with_training_and_each_other(make_facts):
    tests = {"Ts/x": "voxels of a", "Ts/y": "other", "Ts/z": "other"}
    findings = doubled_images(cases(make_facts, a={}, b={}), tests)
    assert [(f.code, f.severity, f.cases) for f in findings] == [
        ("duplicate-test-image", "warning", ("a",)),
        ("duplicate-test-image", "warning", ()),
    ]
    assert "Ts/y and Ts/z" in findings[1].message


def test_equal_labels_are_told_unless_empty_or_of_the_same_image(make_facts):
    facts = cases(
        make_facts, a={"label_voxels": "l"}, b={"label_voxels": "l"}, c={"label_voxels": ""}, d={"label_voxels": ""}
    )
    (finding,) = doubled_labels(facts)
    assert (finding.code, finding.severity, finding.cases) == ("duplicate-label", "warning", ("a", "b"))
    same = {"label_voxels": "l", "voxels": "x"}
    assert doubled_labels(cases(make_facts, a=same, b=same)) == []
    two, one = ({"label_voxels": "l"} for _ in range(2))
    assert doubled_labels(cases(make_facts, a=two, b=one), {"a": "p", "b": "p"}) == []


def test_f17_twins_of_one_group_are_a_warning_as_no_fold_parts_them(make_facts):
    facts = cases(make_facts, a={"voxels": "x"}, b={"voxels": "x"})
    (finding,) = doubled_images(facts, {}, {"a": "p", "b": "p"})
    assert (finding.code, finding.severity, finding.cases) == ("duplicate-image", "warning", ("a", "b"))


def test_blank_images_are_no_twins(make_facts):
    facts = cases(make_facts, a={"voxels": "x", "channels": (BLANK,)}, b={"voxels": "x", "channels": (BLANK,)})
    assert is_blank(facts[0])
    assert doubled_images(facts, {}) == []
    assert doubled_channels(facts, ("T1",)) == []


def test_one_channel_in_two_images_is_told_unless_it_is_blank(make_facts):
    first, second = (replace(make_facts().channels[0], voxels=f"voxels {number}") for number in range(2))
    facts = cases(
        make_facts,
        a={"limits": ((0, 1),) * 3, "channels": (first, second, BLANK)},
        b={"limits": ((0, 1),) * 3, "channels": (replace(first, voxels="other"), second, BLANK)},
    )
    (finding,) = doubled_channels(facts, ("T1", "T2", "PET"))
    assert (finding.code, finding.severity, finding.cases) == ("duplicate-channel", "warning", ("a", "b"))
    assert "T2 of a, T2 of b" in finding.message
    assert doubled_channels(facts, ("T1", "T2", "PET"), {"a": "p", "b": "p"}) == []
