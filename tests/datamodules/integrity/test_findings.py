import json
from pathlib import Path

from datamodules.formats.errors import DataError
from datamodules.integrity.aggregate import told_once
from datamodules.integrity.findings import Finding, errors_of, in_order, of_error

ERROR = of_error("label-shape", DataError(Path("a.nii.gz"), "one shape", "another", "mend it"), ["b", "a"])


def test_a_refusal_becomes_a_finding_with_its_file_and_remedy():
    assert (
        Finding("label-shape", "error", "expected one shape, found another", "mend it", ("a", "b"), "a.nii.gz") == ERROR
    )
    assert json.loads(json.dumps(ERROR.to_dict()))["cases"] == ["a", "b"]


def test_the_gravest_come_first_and_the_rest_by_kind_and_case():
    notes = [Finding("specks", "note", "m", "r", (case,)) for case in "ba"]
    warning = Finding("anisotropy", "warning", "m", "r")
    assert in_order([*notes, warning, ERROR]) == (ERROR, warning, notes[1], notes[0])
    assert errors_of([*notes, warning, ERROR]) == (ERROR,)


def test_what_is_common_to_many_cases_is_told_once():
    (finding,) = told_once(
        "specks", "note", "stray voxels", "look", {f"c{n:02d}": f"{n}" if n else "" for n in range(11)}
    )
    assert len(finding.cases) == 11
    assert finding.message.startswith("stray voxels: c00, c01 (1), c02 (2)")
    assert finding.message.endswith("c07 (7) and 3 more")
    assert told_once("specks", "note", "stray voxels", "look", {}) == []
