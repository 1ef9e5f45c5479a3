import json
import shutil
from pathlib import Path

import pytest

from datamodules.integrity.check import CheckResult, CheckSettings, check_data_set
from datamodules.integrity.findings import Finding

TWO = CheckSettings(folds=2)


def finding(severity, *cases):
    return Finding("kind", severity, "message", "remedy", cases)


def result(*findings, strict=False):
    return CheckResult(Path("set"), CheckSettings(strict=strict), findings, case_ids=("a", "b", "c"))


@pytest.mark.parametrize(
    ("findings", "strict", "usable", "verdict"),
    [
        ((), False, 3, "ready for training"),
        ((finding("warning", "a"), finding("note")), False, 3, "ready for training"),
        ((finding("error", "a"),), False, 2, "2 cases can be trained on once 1 are mended or taken out"),
        ((finding("warning", "a"),), True, 2, "2 cases can be trained on once 1 are mended or taken out"),
        ((finding("error", "a", "b", "c"),), False, 0, "cannot be trained on as it is"),
        ((finding("error"), finding("error", "a")), False, 0, "cannot be trained on as it is"),
    ],
)
def test_the_verdict_follows_from_the_findings(findings, strict, usable, verdict):
    outcome = result(*findings, strict=strict)
    assert (outcome.usable, outcome.verdict) == (usable, verdict)


def test_a_sound_set_is_known_from_end_to_end(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b"], channels=2)
    outcome = check_data_set(root, TWO, tmp_path / "cache", 0)
    assert [f.code for f in outcome.findings] == ["duplicate-label"]  # both labels of this set are equal
    assert (outcome.layout, outcome.channel_names, outcome.structure_names) == (
        "nnunet",
        ("C0", "C1"),
        ("left", "right"),
    )
    assert outcome.case_ids == tuple(outcome.facts) == ("a", "b")
    assert outcome.groups == {"a": "a", "b": "b"}
    assert [len(split.train) for split in outcome.splits] == [1, 1]
    assert len(outcome.forecasts) == 2


def test_a_refused_layout_leaves_nothing_but_the_finding(tmp_path):
    outcome = check_data_set(tmp_path, TWO, tmp_path / "cache", 0)
    assert [f.code for f in outcome.findings] == ["layout"]
    assert (outcome.facts, outcome.forecast, outcome.structure_names, outcome.forecasts) == ({}, None, (), ())
    assert outcome.verdict == "cannot be trained on as it is"


def test_every_fold_that_the_data_set_states_is_looked_at(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b", "c"])
    folds = [{"train": [x for x in "abc" if x != held], "val": [held]} for held in "abc"]
    (root / "splits_final.json").write_text(json.dumps(folds))
    outcome = check_data_set(root, CheckSettings(folds=2), tmp_path / "cache", 0)
    assert [split.validation for split in outcome.splits] == [("a",), ("b",), ("c",)]


def test_test_images_are_read_under_names_of_their_own(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    (root / "imagesTs").mkdir()
    for name in ("a", "x"):
        shutil.copy(root / "imagesTr" / "a_0000.nii.gz", root / "imagesTs" / f"{name}_0000.nii.gz")
    outcome = check_data_set(root, TWO, tmp_path / "cache", 0)
    assert list(outcome.tests) == ["imagesTs/a", "imagesTs/x"]
    twins = [f for f in outcome.findings if f.code == "duplicate-test-image"]
    assert [f.cases for f in twins] == [("a",)]
    assert "imagesTs/a, imagesTs/x (test)" in twins[0].message


def test_a_folder_of_tests_that_holds_none_is_told(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    (root / "imagesTs").mkdir()
    (root / "imagesTs" / "notes.txt").write_text("none yet")
    outcome = check_data_set(root, TWO, tmp_path / "cache", 0)
    assert [(f.code, f.severity) for f in outcome.findings if f.code == "test-images"] == [("test-images", "warning")]


@pytest.mark.shared_data
def test_a_dicom_series_through_a_table_has_true_findings_alone(shared_data, tmp_path):
    series = shared_data / "dicom" / "mr_hippocampus_series"
    table = tmp_path / "cases.csv"
    table.write_text(f"id,image,label\nmr,{series},{series}\n")
    outcome = check_data_set(table, CheckSettings(labels={"any": 1}, folds=2), tmp_path / "cache", 0)
    codes = {f.code for f in outcome.findings}
    assert codes <= {"folds", "label-undeclared", "label-not-integer", "unreadable-label"}
    assert {"folds"} < codes
