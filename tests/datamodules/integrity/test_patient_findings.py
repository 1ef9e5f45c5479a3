import pytest

from datamodules.groups import search_group
from datamodules.integrity.patient_findings import parted_patients, shared_with_tests


def cases(make_facts, **changes):
    return [make_facts(case, **change) for case, change in changes.items()]


def alike(make_facts, *names):
    return parted_patients([make_facts(name) for name in names], {name: name for name in names})


def test_f17_a_patient_in_two_groups(make_facts):
    facts = cases(make_facts, a={"patient": "1"}, b={"patient": "1"}, c={"patient": "2"})
    (finding,) = parted_patients(facts, {"a": "a", "b": "b", "c": "c"})
    assert (finding.code, finding.cases) == ("patient-in-groups", ("a", "b"))
    assert parted_patients(facts, {"a": "p", "b": "p", "c": "c"}) == []


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (
            ("patient000_frame01", "patient000_frame12", "patient001_frame01"),
            ["patient000", "patient000", "patient001"],
        ),
        (("P01-visit2_T1", "P01-visit3_T1", "P02-visit1_T1"), ["P01", "P01", "P02"]),
        (("pat_7_a1", "pat_7_a2"), ["pat_7", "pat_7"]),
        (("site3_subject12_left1", "site3_subject12_left2"), ["site3_subject12", "site3_subject12"]),
    ],
)
def test_f17_names_that_share_a_patient_are_a_note_with_a_pattern_that_works(make_facts, names, groups):
    (finding,) = alike(make_facts, *names)
    assert (finding.code, finding.severity) == ("patients-by-name", "note")
    pattern = finding.remedy.rpartition("such as '")[2].removesuffix("'")
    assert [search_group(pattern, [name], "") for name in names] == groups


@pytest.mark.parametrize(
    "names",
    [
        ("hippocampus_001", "hippocampus_003"),
        ("train_pt_100", "train_pt_101"),
        ("img_0001", "img_0002"),
        ("BraTS20_Training_001", "BraTS20_Training_002"),
        ("s0011", "s0058"),
        ("slice_1", "slice_2"),
        ("patient000_frame01", "patient001_frame01"),
    ],
)
def test_names_that_are_only_numbered_are_not_told(make_facts, names):
    assert alike(make_facts, *names) == []


def test_names_of_one_group_are_not_told(make_facts):
    names = ("patient000_frame01", "patient000_frame12")
    assert parted_patients([make_facts(name) for name in names], dict.fromkeys(names, "patient000")) == []


def test_f17_a_patient_in_training_and_in_the_test_set(make_facts):
    facts = cases(make_facts, a={"patient": "1"}, b={"patient": "2"})
    tests = {"imagesTs/x": make_facts("x", patient="2"), "imagesTs/y": make_facts("y", patient="3")}
    (finding,) = shared_with_tests(facts, {"a": "a", "b": "b"}, tests, {})
    assert (finding.code, finding.severity, finding.cases) == ("patient-in-test-set", "warning", ("b",))
    assert "imagesTs/x" in finding.message


def test_f17_a_subject_or_a_group_in_training_and_in_the_test_set(make_facts):
    facts, tests = [make_facts("sub-01_ses-1")], {"imagesTs/sub-01_ses-2": make_facts("t")}
    (finding,) = shared_with_tests(facts, {"sub-01_ses-1": "sub-01_ses-1"}, tests, {})
    assert finding.cases == ("sub-01_ses-1",)
    facts, tests = [make_facts("p1_a")], {"imagesTs/p1_b": make_facts("t"), "imagesTs/p2_a": make_facts("u")}
    groups = {"imagesTs/p1_b": "p1", "imagesTs/p2_a": "p2"}
    (finding,) = shared_with_tests(facts, {"p1_a": "p1"}, tests, groups)
    assert finding.cases == ("p1_a",)
