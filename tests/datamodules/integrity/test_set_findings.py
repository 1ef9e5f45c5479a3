from dataclasses import replace

from datamodules.integrity.inspection import inspect_cases
from datamodules.integrity.set_findings import findings_of_set
from datamodules.layouts import find_cases
from datamodules.splits import Split


def test_folds_twins_patients_and_outliers_are_looked_for(tmp_path, write_dataset):
    listing = find_cases(write_dataset(tmp_path / "set", ["sub-1_a", "sub-1_b", "c", "d", "e"]))
    facts = inspect_cases(listing, tmp_path / "cache", 0).facts
    split = Split(("sub-1_a", "sub-1_b", "c"), ("d", "e"))
    codes = {finding.code for finding in findings_of_set(facts, listing, [split])}
    assert codes == {"patient-in-groups", "duplicate-label"}  # all labels of this set are equal
    odd = facts | {
        "c": replace(facts["c"], spacing_mm=(2.0, 2.0, 12.0)),
        "d": replace(facts["d"], voxels=facts["e"].voxels, structures={}),
        "e": replace(facts["e"], structures={}),
    }
    findings = findings_of_set(odd, listing, [split], {"imagesTs/t": facts["c"]})
    assert {finding.code for finding in findings} == codes | {
        "spacing-outlier",
        "duplicate-image",
        "duplicate-test-image",
        "class-missing-from-fold",
    }
    assert findings[0].severity == "error"


def test_of_no_cases_nothing_is_said(tmp_path, write_dataset):
    listing = find_cases(write_dataset(tmp_path / "set", ["a", "b"]))
    assert findings_of_set({}, listing, [Split(("a",), ("b",))]) == ()
