import json
import os
import signal
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from datamodules.integrity import inspection
from datamodules.integrity.inspection import _read_and_keep as read_and_keep
from datamodules.integrity.inspection import inspect_cases
from datamodules.layouts import find_cases
from datamodules.workers import map_cases


@pytest.fixture(scope="module")
def listing(tmp_path_factory, write_dataset):
    return find_cases(write_dataset(tmp_path_factory.mktemp("set"), ["a", "b", "c"], channels=2))


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_second_start_reads_the_cache_alone(listing, tmp_path):
    first = inspect_cases(listing, tmp_path, 0)
    before = stamps(tmp_path)
    second = inspect_cases(listing, tmp_path, 0)
    assert stamps(tmp_path) == before
    assert len(before) == 3
    assert first.findings == second.findings == ()
    for case_id, facts in first.facts.items():
        np.testing.assert_array_equal(second.facts[case_id].samples, facts.samples)
        assert second.facts[case_id].structures == facts.structures


def test_worker_processes_give_the_same(listing, tmp_path):
    in_turn = inspect_cases(listing, tmp_path / "0", 0).facts
    in_processes = inspect_cases(listing, tmp_path / "2", 2).facts
    assert list(in_processes) == ["a", "b", "c"]
    for case_id, facts in in_turn.items():
        np.testing.assert_array_equal(in_processes[case_id].samples, facts.samples)


def test_a_changed_file_and_changed_labels_are_read_anew(tmp_path, write_dataset, write_volume):
    root, cache = write_dataset(tmp_path / "set", ["a", "b"]), tmp_path / "cache"
    inspect_cases(find_cases(root), cache, 0)
    write_volume(root / "labelsTr" / "b.nii.gz", np.zeros((12, 10, 8), np.uint8))
    changed = inspect_cases(find_cases(root), cache, 0)
    assert changed.facts["b"].voxel_counts == {"left": 0, "right": 0}
    assert [(finding.code, finding.cases) for finding in changed.findings] == [("empty-label", ("b",))]
    assert len(stamps(cache)) == 3
    inspect_cases(find_cases(root, labels={"both": [1, 2]}), cache, 0)
    assert len(stamps(cache)) == 5


def test_f06_a_broken_case_has_a_finding_and_no_facts_and_the_others_are_kept(tmp_path, write_dataset, write_volume):
    root = write_dataset(tmp_path / "set", ["a", "b", "c"])
    write_volume(root / "imagesTr" / "b_0000.nii.gz", np.full((12, 10, 8), np.nan, np.float32))
    (root / "labelsTr" / "c.nii.gz").write_bytes(b"")
    for _ in range(2):  # the second time from the cache
        result = inspect_cases(find_cases(root), tmp_path / "cache", 0)
        assert list(result.facts) == ["a"]
        assert {(finding.code, finding.cases) for finding in result.findings} == {
            ("not-finite", ("b",)),
            ("unreadable-label", ("c",)),
        }
    assert len(stamps(tmp_path / "cache")) == 1


def test_a_file_that_vanished_is_told_and_the_others_are_read(tmp_path, write_dataset):
    listing = find_cases(write_dataset(tmp_path / "set", ["a", "b"]))
    listing.cases[0].images[0].unlink()
    result = inspect_cases(listing, tmp_path / "cache", 0)
    assert [(finding.code, finding.cases) for finding in result.findings] == [("missing-file", ("a",))]
    assert list(result.facts) == ["b"]


def test_what_readers_warn_of_is_told_from_the_cache_as_well(tmp_path, write_dataset):
    root = write_dataset(tmp_path / "set", ["a", "b"])
    path = root / "imagesTr" / "a_0000.nii.gz"

    image = nib.load(path)
    image.set_qform(np.diag([2.0, 2.0, 4.0, 1.0]), 1)
    nib.save(image, path)
    for _ in range(2):
        (finding,) = inspect_cases(find_cases(root), tmp_path / "cache", 0).findings
        assert (finding.code, finding.severity, finding.cases) == ("doubtful-geometry", "warning", ("a",))
        assert "sform equal to qform" in finding.message


@pytest.mark.parametrize("damage", [b"", b"PK damaged", None])
def test_facts_that_cannot_be_read_are_read_again(listing, tmp_path, caplog, damage):
    first = inspect_cases(listing, tmp_path, 0)
    path = next((tmp_path / "facts").glob("*.npz"))
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    again = inspect_cases(listing, tmp_path, 0)
    assert list(again.facts) == list(first.facts)
    assert f"{path} cannot be read" in caplog.text
    assert path.stat().st_size > 1000


def test_facts_of_another_version_are_read_again(listing, tmp_path, caplog):
    inspect_cases(listing, tmp_path, 0)
    path = next((tmp_path / "facts").glob("*.npz"))
    with np.load(path) as stored:
        kept = dict(stored)
    meta = json.loads(str(kept.pop("meta")))
    np.savez(path, meta=np.array(json.dumps(meta | {"unheard_of": 1})), **kept)
    assert len(inspect_cases(listing, tmp_path, 0).facts) == 3
    assert "unheard_of" in caplog.text


def test_each_task_takes_its_own_case_alone(listing, tmp_path, monkeypatch):
    """A set of 10,000 cases must not send 10,000 paths with each of them."""
    seen = []

    def spy(function, cases, **options):
        seen.append((function, options["arguments"]))
        return map_cases(function, cases, **options)

    monkeypatch.setattr(inspection, "map_cases", spy)
    inspect_cases(listing, tmp_path, 0)
    ((function, arguments),) = seen
    assert not any(isinstance(given, dict) for given in function.args)
    assert {id_: len(given) for id_, given in arguments.items()} == {"a": 2, "b": 2, "c": 2}


def kill_case_b(expected, case, path, content):
    if case.id == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return read_and_keep(expected, case, path, content)


def test_a_case_that_kills_its_process_has_an_error_and_the_others_are_read(listing, tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "_read_and_keep", kill_case_b)
    found = inspect_cases(listing, tmp_path, 2)
    assert list(found.facts) == ["a", "c"]
    assert [(f.code, f.severity, f.cases) for f in found.findings] == [("out-of-memory", "error", ("b",))]


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "labels"),
    [("head_neck_ct", None), ("hippocampus_mr", None), ("em_membranes", {"membrane": 0, "cell": 255})],
)
def test_real_cases_are_sound(shared_data, tmp_path, name, labels):

    listing = find_cases(shared_data / name, labels=labels)
    listing = replace(listing, cases=listing.cases[:4])
    result = inspect_cases(listing, tmp_path, 0)
    assert len(result.facts) == 4
    assert {finding.severity for finding in result.findings} <= {"note"}
