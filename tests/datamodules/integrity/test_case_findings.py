from pathlib import Path

import numpy as np
import pytest

from datamodules.cases import CaseList
from datamodules.integrity.case_findings import findings_of_cases, is_ct
from datamodules.integrity.facts import ChannelFacts, StructureFacts
from datamodules.labels import LabelSet

LABELS = LabelSet.from_json({"background": 0, "left": 1, "right": 2})
BOX = ((0, 2), (0, 2), (0, 2))


def found(facts, channel="CT"):
    listing = CaseList(Path("set"), "nnunet", (channel,), LABELS, ())
    return [(finding.code, finding.severity, finding.cases) for finding in findings_of_cases(facts, listing)]


def channel(low, high):
    return (ChannelFacts(low, high, (low + high) / 2, 1.0, 0, np.zeros(64, np.int64)),)


def test_sound_cases_have_no_findings(make_facts):
    assert found([make_facts("a"), make_facts("b")]) == []


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"affine": np.array([[1.0, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])}, "sheared", "error"),
        ({"spacing_mm": (10.0, 10.0, 25.0)}, "absurd-spacing", "warning"),
        ({"shape": (40, 40, 2000)}, "absurd-spacing", "warning"),
        ({"spacing_mm": (0.1, 0.1, 2.0)}, "anisotropy", "warning"),
        ({"warnings": (("doubtful-geometry", "forms differ"),)}, "doubtful-geometry", "warning"),
        ({"channels": channel(0.0, 0.0)}, "empty-channel", "warning"),
        ({"channels": channel(5.0, 5.0)}, "constant-channel", "warning"),
        ({"channels": channel(0.0, 255.0)}, "implausible-hu", "warning"),
        ({"channels": channel(0.0, 4095.0)}, "implausible-hu", "warning"),
        ({"channels": channel(-150.0, 3000.0)}, "implausible-hu", "warning"),
        ({"channels": channel(-9000.0, 3000.0)}, "implausible-hu", "warning"),
    ],
)
def test_geometry_and_intensities(make_facts, changes, code, severity):
    assert found([make_facts("a"), make_facts("b", **changes)]) == [(code, severity, ("b",))]


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (5000, 5000, 1), "spacing_mm": (1.0, 1.0, 1.0)},  # a large picture has no extent in the body
        {"shape": (512, 512, 1), "spacing_mm": (0.1, 0.1, 30.0)},  # nor has one slice a spacing to the next
        {"spacing_mm": (0.5, 0.5, 7.0)},
        {"channels": channel(-2048.0, 30000.0)},
    ],
)
def test_what_occurs_is_not_told(make_facts, changes):
    assert found([make_facts("b", **changes)]) == []


def test_values_of_other_channels_are_no_hounsfield_units(make_facts):
    assert found([make_facts("a", channels=channel(0.0, 255.0))], "T1") == []


@pytest.mark.parametrize(
    ("name", "says"),
    [("CT", True), ("ct_venous", True), ("CT 1", True), ("T1", False), ("octopus", False), ("PET/CT", True)],
)
def test_which_names_mean_ct(name, says):
    assert is_ct(name) == says


@pytest.mark.parametrize(
    ("counts", "code", "severity"),
    [
        ({"left": 0, "right": 0}, "empty-label", "warning"),
        ({"left": 5, "right": 1}, "one-voxel-structure", "warning"),
        ({"left": 5, "right": 0}, "absent-structures", "note"),
    ],
)
def test_f16_labels(make_facts, counts, code, severity):
    assert found([make_facts("a"), make_facts("b", counts)]) == [(code, severity, ("b",))]


def test_specks_are_told_once_with_their_structures(make_facts):
    specks = {name: StructureFacts(30, 3, 28, 2, BOX) for name in LABELS.names}
    listing = CaseList(Path("set"), "nnunet", ("CT",), LABELS, ())
    (finding,) = findings_of_cases([make_facts("a", structures=specks), make_facts("b", structures=specks)], listing)
    assert (finding.code, finding.cases) == ("specks", ("a", "b"))
    assert "a (left: 2, right: 2)" in finding.message


def test_cases_without_a_label_have_no_findings_of_labels(make_facts):
    assert found([make_facts("a", structures={})]) == []
