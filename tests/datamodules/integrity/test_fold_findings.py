from datamodules.integrity.fold_findings import findings_of_folds
from datamodules.splits import Split

NAMES = ("left", "right")
SPLITS = (Split(("a", "b"), ("c",)), Split(("b", "c"), ("a",)), Split(("a", "c"), ("b",)))


def facts(make_facts, **counts):
    return {case: make_facts(case, dict(zip(NAMES, numbers, strict=True))) for case, numbers in counts.items()}


def test_f16_nothing_is_told_where_nothing_is_missing(make_facts):
    assert findings_of_folds(facts(make_facts, a=(1, 1), b=(1, 1), c=(1, 1)), SPLITS, NAMES) == []


def test_f16_a_class_absent_from_a_part_of_some_folds(make_facts):
    (finding,) = findings_of_folds(facts(make_facts, a=(1, 0), b=(1, 0), c=(1, 2)), SPLITS, NAMES)
    assert (finding.code, finding.severity, finding.cases) == ("class-missing-from-fold", "warning", ())
    assert "'right' is in none of the training cases of fold 0: it cannot be learned" in finding.message
    assert (
        "'right' is in none of the validation cases of fold 1, 2: its validation score says nothing" in finding.message
    )


def test_f16_the_fold_that_is_trained_has_no_number(make_facts):
    (finding,) = findings_of_folds(facts(make_facts, a=(1, 0), b=(1, 0), c=(1, 2)), SPLITS[:1], NAMES)
    assert finding.message == "'right' is in none of the training cases: it cannot be learned"


def test_f16_a_class_that_is_nowhere_is_told_once(make_facts):
    (finding,) = findings_of_folds(facts(make_facts, a=(1, 0), b=(1, 0), c=(1, 0)), SPLITS, NAMES)
    assert (finding.code, finding.severity) == ("class-missing", "warning")
    assert finding.message.endswith(": right")


def test_f16_empty_labels_alone_are_an_error(make_facts):
    (finding,) = findings_of_folds(facts(make_facts, a=(0, 0), b=(0, 0)), SPLITS, NAMES)
    assert (finding.code, finding.severity) == ("no-foreground", "error")


def test_cases_that_could_not_be_read_are_passed_over(make_facts):
    assert findings_of_folds(facts(make_facts, a=(1, 1), b=(1, 1)), SPLITS[1:2], NAMES) == []
    assert findings_of_folds({}, SPLITS, NAMES) == []
