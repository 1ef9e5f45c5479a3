import json
import os
import tempfile
from pathlib import Path

import numpy as np
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


def test_f17_a_patient_in_both_parts_of_a_later_fold_is_an_error(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a1", "a2", "b1", "b2"])
    folds = [{"train": ["a1", "a2"], "val": ["b1", "b2"]}, {"train": ["a1", "b1", "b2"], "val": ["a2"]}]
    (root / "splits_final.json").write_text(json.dumps([*folds, {"train": ["a1", "b1"], "val": []}]))
    outcome = check_data_set(root, CheckSettings(group_pattern="(.)"), tmp_path / "cache", 0)
    found = {f.code: f for f in outcome.of("error")}
    assert set(found) == {"patient-in-two-splits", "folds"}
    assert found["patient-in-two-splits"].message.startswith("fold 1: ")
    assert found["folds"].message.startswith("fold 2: ")
    assert outcome.usable == 0


SHEAR = np.array([[2.0, 0.3, 0, 0], [0, 2.0, 0, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(("sheared", "codes"), [("refuse", ["sheared"]), ("resample", [])])
def test_f05_shear_is_an_error_unless_training_resamples_it(tmp_path, write_dataset, write_volume, sheared, codes):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    for path in (root / "imagesTr" / "b_0000.nii.gz", root / "labelsTr" / "b.nii.gz"):
        write_volume(path, np.random.default_rng(0).integers(0, 3, (12, 10, 8)).astype(np.uint8), SHEAR)
    outcome = check_data_set(root, CheckSettings(folds=2, sheared=sheared), tmp_path / "cache", 0)
    assert [f.code for f in outcome.of("error")] == codes


@pytest.fixture
def nobody(tmp_path_factory):
    """Give up the rights of root while the test runs, where there are any."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_a_folder_without_permission_is_a_finding(write_dataset, nobody):
    with tempfile.TemporaryDirectory() as folder:  # of that user, as are the folders above it
        root = write_dataset(Path(folder) / "set", ["a", "b"])
        (root / "imagesTr").chmod(0)
        outcome = check_data_set(root, TWO, Path(folder) / "cache", 0)
        (root / "imagesTr").chmod(0o700)
    assert [(f.code, f.severity) for f in outcome.findings] == [("no-permission", "error")]
    assert "imagesTr" in outcome.findings[0].message


def test_a_file_without_permission_is_a_finding_of_its_case(write_dataset, nobody):
    with tempfile.TemporaryDirectory() as folder:
        root = write_dataset(Path(folder) / "set", ["a", "b", "c"])
        (root / "labelsTr" / "b.nii.gz").chmod(0)
        outcome = check_data_set(root, TWO, Path(folder) / "cache", 0)
    assert [(f.code, f.cases) for f in outcome.of("error")] == [("unreadable-image", ("b",))]
    assert list(outcome.facts) == ["a", "c"]


@pytest.mark.shared_data
def test_a_dicom_series_through_a_table_has_true_findings_alone(shared_data, tmp_path):
    series = shared_data / "dicom" / "mr_hippocampus_series"
    table = tmp_path / "cases.csv"
    table.write_text(f"id,image,label\nmr,{series},{series}\n")
    outcome = check_data_set(table, CheckSettings(labels={"any": 1}, folds=2), tmp_path / "cache", 0)
    codes = {f.code for f in outcome.findings}
    assert codes <= {"folds", "label-undeclared", "label-not-integer", "unreadable-label"}
    assert {"folds"} < codes
