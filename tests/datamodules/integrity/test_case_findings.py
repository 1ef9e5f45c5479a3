from pathlib import Path

import numpy as np
import pytest

from datamodules.cases import CaseList
from datamodules.integrity.case_findings import findings_of_cases
from datamodules.integrity.facts import StructureFacts
from datamodules.labels import LabelSet

LABELS = LabelSet.from_json({"background": 0, "left": 1, "right": 2})
BOX = ((0, 2), (0, 2), (0, 2))


def found(facts, channel="CT"):
    listing = CaseList(Path("set"), "nnunet", (channel,), LABELS, ())
    return [(finding.code, finding.severity, finding.cases) for finding in findings_of_cases(facts, listing)]


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
    ],
)
def test_geometry_of_single_cases(make_facts, changes, code, severity):
    assert found([make_facts("a"), make_facts("b", **changes)]) == [(code, severity, ("b",))]


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (5000, 5000, 1), "spacing_mm": (1.0, 1.0, 1.0)},  # a large picture has no extent in the body
        {"shape": (512, 512, 1), "spacing_mm": (0.1, 0.1, 30.0)},  # nor has one slice a spacing to the next
        {"spacing_mm": (0.5, 0.5, 7.0)},
    ],
)
def test_what_occurs_is_not_told(make_facts, changes):
    assert found([make_facts("b", **changes)]) == []


def test_readers_warnings_of_one_kind_are_one_finding_of_all_cases(make_facts):
    same = [make_facts(case, warnings=(("reader-warning", "label: resampled"),)) for case in "abcdefgh"]
    listing = CaseList(Path("set"), "nnunet", ("CT",), LABELS, ())
    (finding,) = findings_of_cases(same, listing)
    assert (finding.code, finding.severity, finding.cases) == ("reader-warning", "warning", tuple("abcdefgh"))
    assert finding.message.count("resampled") == 1
    other = make_facts("i", warnings=(("reader-warning", "label: odd"), ("doubtful-geometry", "forms differ")))
    assert found([*same, other]) == [
        ("doubtful-geometry", "warning", ("i",)),
        ("reader-warning", "warning", tuple("abcdefghi")),
    ]


@pytest.mark.parametrize(
    ("channel", "told"), [("MR", True), ("image", True), ("EM", False), ("light-sheet", False), ("GFP", False)]
)
def test_f07_spacing_in_metres_is_told_unless_it_is_microscopy(make_facts, channel, told):
    facts = [make_facts("b", spacing_mm=(0.001, 0.001, 0.003))]
    assert found(facts, channel) == ([("tiny-extent", "warning", ("b",))] if told else [])


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
