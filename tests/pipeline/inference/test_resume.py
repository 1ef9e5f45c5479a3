"""The record of an output folder survives a kill at any moment."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats.errors import DataError
from pipeline.inference.resume import JOURNAL_NAME, Journal, fingerprint
from pipeline.report import CaseResult, Report


def result(name, folder, status="done"):
    (folder / f"{name}.png").write_bytes(b"mask")
    return CaseResult(name, status, outputs=(f"{name}.png",), fingerprint="same")


def test_the_fingerprint_depends_on_content_model_and_settings():
    seen = {fingerprint("content", "model", {"overlap": 0.5})}
    assert fingerprint("content", "model", {"overlap": 0.5}) in seen
    seen.add(fingerprint("content", "other", {"overlap": 0.5}))
    seen.add(fingerprint("content", "model", {"overlap": 0.25}))
    seen.add(fingerprint("else", "model", {"overlap": 0.5}))
    assert len(seen) == 4


def test_a_finished_case_needs_the_same_fingerprint_and_all_its_files(tmp_path):
    journal = Journal(tmp_path)
    assert journal.is_new
    journal.record(result("a", tmp_path))
    journal.record(result("b", tmp_path, "failed"))
    again = Journal(tmp_path)
    assert not again.is_new
    assert again.finished("a", "same") == result("a", tmp_path)
    assert again.finished("a", "other") is None
    assert again.finished("b", "same") is None
    assert again.finished("c", "same") is None
    (tmp_path / "a.png").unlink()
    assert again.finished("a", "same") is None


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 2000))
def test_f30_lines_cut_short_anywhere_lose_their_own_case_alone(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("out")
    journal = Journal(folder)
    ends = []
    for name in "abc":
        journal.record(result(name, folder))
        ends.append((folder / JOURNAL_NAME).stat().st_size)
    content = (folder / JOURNAL_NAME).read_bytes()
    (folder / JOURNAL_NAME).write_bytes(content[:cut])
    again = Journal(folder)
    whole = {name for name, end in zip("abc", ends, strict=True) if end <= cut}
    assert {name for name in "abc" if again.finished(name, "same")} == whole
    again.record(result("d", folder))
    assert {name for name in "abcd" if Journal(folder).finished(name, "same")} == whole | {"d"}


def test_files_that_no_record_names_are_foreign(tmp_path):
    journal = Journal(tmp_path)
    (tmp_path / "a.png").write_bytes(b"somebody's")
    (tmp_path / "gone.png").symlink_to(tmp_path / "absent")
    assert journal.foreign("a", ["a.png", "b.png", "gone.png"]) == ["a.png", "gone.png"]
    journal.announce("a", ("a.png",))
    assert Journal(tmp_path).foreign("a", ["a.png"]) == []
    assert Journal(tmp_path).finished("a", "") is None


def test_files_that_a_case_has_no_more_are_removed(tmp_path):
    journal = Journal(tmp_path)
    (tmp_path / "a picture.png").write_bytes(b"old")
    journal.record(CaseResult("a", "done", outputs=("a.png", "a picture.png")))
    journal.announce("a", ("a.png",))
    assert not (tmp_path / "a picture.png").exists()


def test_the_report_takes_the_place_of_the_lines(tmp_path):
    journal = Journal(tmp_path)
    journal.record(result("a", tmp_path))
    journal.record(result("b", tmp_path))
    Report("predict", "cpu", {}, {}, [result("a", tmp_path)], 1.0, journal.others(["a"])).save(tmp_path)
    journal.close()
    assert not (tmp_path / JOURNAL_NAME).exists()
    again = Journal(tmp_path)
    assert again.finished("a", "same")
    assert again.finished("b", "same")
    assert [item.id for item in again.others(["a"])] == ["b"]


@pytest.mark.parametrize("content", ["no json", "[]", '{"cases": [{"what": 1}], "earlier": []}', "{}"])
def test_a_report_of_another_program_is_refused(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(DataError, match=r"report\.json"):
        Journal(tmp_path)


def test_lines_are_json(tmp_path):
    Journal(tmp_path).record(result("ä\nb", tmp_path))
    lines = (tmp_path / JOURNAL_NAME).read_text().split()
    assert json.loads("".join(lines))["id"] == "ä\nb"
