import numpy as np
import pytest

from datamodules.integrity.outliers import outlying_cases, unlike

CT = ("CT",)


def many(make_facts, odd, count=8, **common):
    return [make_facts(f"c{number}", **common) for number in range(count)] + [make_facts("odd", **(common | odd))]


def found(facts, names=CT):
    return {(finding.code, finding.severity, finding.cases) for finding in outlying_cases(facts, names)}


def test_nothing_sets_equal_cases_apart(make_facts):
    assert found(many(make_facts, {})) == set()


@pytest.mark.parametrize(
    ("odd", "code", "severity"),
    [
        ({"spacing_mm": (1.0, 1.0, 7.0)}, "spacing-outlier", "warning"),
        ({"shape": (40, 40, 100)}, "shape-outlier", "warning"),
        ({"shape": (8, 40, 20)}, "shape-outlier", "warning"),
        ({"orientation": "LPI"}, "mixed-orientation", "note"),
        ({"dtype": "float32"}, "mixed-dtype", "note"),
        ({"affine": np.eye(4), "spacing_mm": (1.0, 1.0, 1.0)}, "default-spacing", "warning"),
    ],
)
def test_an_odd_case_is_told(make_facts, odd, code, severity):
    assert found(many(make_facts, odd)) == {(code, severity, ("odd",))}


@pytest.mark.parametrize("odd", [{"spacing_mm": (1.0, 1.0, 5.0)}, {"shape": (40, 40, 70)}])
def test_differences_that_occur_are_not_told(make_facts, odd):
    assert found(many(make_facts, odd)) == set()


def test_three_cases_have_no_rest_to_be_unlike_of(make_facts):
    assert found(many(make_facts, {"shape": (8, 40, 20)}, count=2)) == set()


@pytest.mark.parametrize(
    ("limits", "odd", "code"),
    [
        ((0.0, 900.0), (-1000.0, 1200.0), "intensity-outlier"),  # a CT among MRs
        ((-1000.0, 1200.0), (0.0, 900.0), "intensity-outlier"),  # an MR among CTs
        ((0.0, 900.0), (-2.0, 3.0), "intensity-outlier"),  # standardised among raw ones
        ((0.0, 900.0), (0.0, 250.0), None),
    ],
)
def test_another_modality_is_told_on_any_scale(make_facts, limits, odd, code):
    kinds = {kind for kind, _, _ in found(many(make_facts, {"limits": (odd,)}, limits=(limits,)), ("MR",))}
    assert kinds - {"intensity-scale"} == ({code} if code else set())


@pytest.mark.parametrize(("name", "severity"), [("CT", "warning"), ("T1", "note"), ("ct_venous", "warning")])
def test_another_scale_is_a_warning_where_there_is_one_scale(make_facts, name, severity):
    facts = many(make_facts, {"limits": ((-8000.0, 8000.0),)})
    told = found(facts, (name,)) - {("hu-scale", "warning", ("odd",))}
    assert told == {("intensity-scale", severity, ("odd",))}


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ((-3000.0, 3000.0), True),
        ((-500.0, 500.0), True),
        ((-3024.0, 1000.0), False),  # padded
        ((-1000.0, 3000.0), False),  # metal
        ((0.0, 1000.0), False),
    ],
)
def test_a_ct_of_another_slope_is_told_from_padding_and_metal(make_facts, limits, told):
    facts = many(make_facts, {"limits": (limits,)}, limits=((-1000.0, 1000.0),))
    assert (("hu-scale", "warning", ("odd",)) in found(facts)) == told
    assert ("hu-scale", "warning", ("odd",)) not in found(facts, ("T1",))


def test_every_channel_is_compared(make_facts):
    facts = many(make_facts, {"limits": ((0.0, 1.0), (-500.0, 500.0))}, limits=((0.0, 1.0), (0.0, 1000.0)))
    (finding,) = outlying_cases(facts, ("T1", "T2"))
    assert "of T2 " in finding.message


def test_a_set_without_any_geometry_is_told_in_one_note(make_facts):
    blank = {"affine": np.eye(4), "spacing_mm": (1.0, 1.0, 1.0)}
    assert found(many(make_facts, {}, **blank)) == {("default-geometry", "note", ())}
    flat = blank | {"shape": (512, 512, 1)}  # images have none to state
    assert found(many(make_facts, {}, **flat)) == set()


def test_a_wide_spread_has_no_outliers():
    values = np.geomspace(1, 100, 30)[:, None]
    assert not unlike(values, 3.0).any()
    assert unlike(np.array([[1.0], [1.1], [0.9], [1.0], [9.0]]), 3.0).tolist() == [False] * 4 + [True]
