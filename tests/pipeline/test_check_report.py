import json
import os
from pathlib import Path

import pytest

from datamodules.integrity.check_result import CheckResult, CheckSettings
from datamodules.integrity.findings import Finding
from pipeline.check_report import exit_code, lines, save_json

ERROR = Finding("label-shape", "error", "expected one shape, found another", "mend it", ("b",), "labelsTr/b.nii.gz")
WARNING = Finding("anisotropy", "warning", "flat: a (1 x 1 x 20 mm)", "look", ("a",))
MANY = Finding("specks", "note", "stray voxels", "remove them", tuple(f"c{number}" for number in range(9)))


def result(*findings, strict=False):
    return CheckResult(Path("set"), CheckSettings(strict=strict), findings, case_ids=("a", "b", *MANY.cases))


@pytest.mark.parametrize(
    ("findings", "strict", "code"),
    [
        ((), False, 0),
        ((WARNING, MANY), False, 0),
        ((WARNING, MANY), True, 3),
        ((ERROR,), False, 3),
        ((Finding("folds", "error", "m", "r"),), False, 1),
    ],
)
def test_the_exit_code_says_what_can_be_used(findings, strict, code):
    assert exit_code(result(*findings, strict=strict)) == code


def test_lines_are_grouped_by_severity_and_shorten_what_is_long():
    assert list(lines(result(ERROR, WARNING, MANY))) == [
        "1 error",
        "  label-shape: expected one shape, found another",
        "    in b",
        "    file labelsTr/b.nii.gz",
        "    mend it",
        "1 warning",
        "  anisotropy: flat: a (1 x 1 x 20 mm)",
        "    look",
        "1 note",
        "  specks: stray voxels",
        "    in c0, c1, c2, c3, c4, c5 and 3 more",
        "    remove them",
        "11 cases: 1 error, 1 warning, 1 note; 10 cases can be trained on once 1 are mended or taken out",
    ]


def test_the_json_holds_what_is_known_of_a_refused_set(tmp_path):
    save_json(tmp_path / "check.json", result(ERROR, MANY), seconds=1.234)
    content = json.loads((tmp_path / "check.json").read_text())
    assert content["findings"][0] == ERROR.to_dict()
    assert content["counts"] == {"error": 1, "warning": 0, "note": 1}
    assert (content["exit_code"], content["seconds"], content["labels"], content["forecast"]) == (3, 1.23, None, None)
    assert content["cases"]["a"] == {"group": "a"}


def test_names_that_are_no_text_do_not_keep_the_json_from_being_written(tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    save_json(tmp_path / "check.json", result(Finding("layout", "error", f"a file {odd}", "rename it")), seconds=1)
    content = json.loads((tmp_path / "check.json").read_text(encoding="utf-8"))
    assert content["findings"][0]["message"] == f"a file {odd}"
