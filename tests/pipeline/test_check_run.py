import json

import pytest

from datamodules.integrity.check_result import CheckSettings
from pipeline.check_run import run_check
from pipeline.config.errors import UsageError


def run(data, cache, output=None):
    return run_check(data, CheckSettings(), output=output, workers=0, cache_dir=cache)


def test_what_is_no_data_set_has_a_report_too(tmp_path):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", tmp_path / "cache", tmp_path / "out") == 1
    content = json.loads((tmp_path / "out" / "check.json").read_text())
    assert [finding["code"] for finding in content["findings"]] == ["layout"]
    assert "layout" in (tmp_path / "out" / "check.html").read_text()


def test_results_are_named_after_the_folder_or_the_table(tmp_path, monkeypatch):
    (tmp_path / "my set").mkdir()
    monkeypatch.chdir(tmp_path / "my set")
    run(tmp_path / "my set" / ".", tmp_path / "cache")
    (tmp_path / "cases.csv").write_text("id,image\n")
    run(tmp_path / "cases.csv", tmp_path / "cache")
    assert sorted(path.name for path in (tmp_path / "my set").iterdir()) == ["check-cases", "check-my set"]


def test_f34_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="expected a folder, found a file"):
        run(tmp_path, tmp_path / "cache", tmp_path / "out")
