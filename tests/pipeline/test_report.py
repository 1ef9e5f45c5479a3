"""report.json and the exit code say what became of each case."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.report import CaseResult, Report, peak_memory_mib


def report(*statuses):
    cases = [CaseResult(f"case {n}", status, outputs=("é.nii.gz",)) for n, status in enumerate(statuses)]
    return Report("predict", "cpu", {"folder": "m", "sha256": "0"}, {"overlap": 0.5}, cases, 1.5)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (("done", "skipped"), 0),
        ((), 0),
        (("failed", "failed"), 1),
        (("done", "failed"), 3),
        (("skipped", "failed"), 3),
    ],
)
def test_exit_code(statuses, code):
    assert report(*statuses).exit_code == code


def test_the_file_holds_versions_cases_and_exit_code(tmp_path):
    path = report("done", "failed").save(tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "report.json"
    assert content["exit_code"] == 3
    assert content["versions"]["numpy"] == np.__version__
    assert [case["status"] for case in content["cases"]] == ["done", "failed"]
    assert "é.nii.gz" in path.read_text(encoding="utf-8")
    assert CaseResult.from_dict(content["cases"][0]) == report("done").cases[0]
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]


def test_peak_memory_is_what_the_system_says():
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("no /proc on this system")
    said = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    assert peak_memory_mib() == pytest.approx(int(said.split()[1]) / 1024, rel=0.05)
