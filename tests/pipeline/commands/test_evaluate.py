import csv
import json
import logging
import shutil
import subprocess
import sys

import numpy as np
import pytest

from datamodules.formats import read_labels, write_labels
from pipeline.commands.evaluate import evaluate


@pytest.fixture
def folders(tmp_path):
    masks, labels = tmp_path / "out put", tmp_path / "data" / "labelsTr"
    for index, name in enumerate(("a", "b", "ü c")):
        reference = np.zeros((12, 12, 8), dtype=np.uint8)
        reference[2:6, 2:6, 2:6] = 1
        reference[8:11, 8:11, 2:5] = 2
        for folder, array in ((labels, reference), (masks, np.roll(reference, index, axis=0))):
            folder.mkdir(parents=True, exist_ok=True)
            write_labels(folder / f"{name}.nii.gz", array, np.diag([1, 1, 3, 1.0]))
    declared = {"labels": {"background": 0, "liver": 1, "spleen": 2}}
    (labels.parent / "dataset.json").write_text(json.dumps(declared))
    return masks, labels


def rows_of(folder):
    with (folder / "scores.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_all_cases_are_scored(folders, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert evaluate(*folders, tmp_path / "scores") == 0
    rows = rows_of(tmp_path / "scores")
    assert [(row["case"], row["structure"]) for row in rows] == [
        (case, structure) for case in ("a", "b", "ü c") for structure in ("liver", "spleen")
    ]
    assert [float(row["dice"]) for row in rows[::2]] == pytest.approx([1, 0.75, 0.5])
    summary = json.loads((tmp_path / "scores" / "summary.json").read_text())
    assert summary["structures"]["liver"]["dice"]["mean"] == pytest.approx(0.75)
    report = json.loads((tmp_path / "scores" / "report.json").read_text())
    assert [case["status"] for case in report["cases"]] == ["done"] * 3
    assert report["exit_code"] == 0
    assert "liver" in caplog.text
    assert "0.750" in caplog.text


def test_failed_cases_are_listed_and_the_others_scored(folders, tmp_path, caplog):
    masks, labels = folders
    (masks / "a.nii.gz").unlink()
    shutil.copy(masks / "b.nii.gz", masks / "extra.nii.gz")
    write_labels(masks / "ü c.nii.gz", np.zeros((3, 3, 3), dtype=np.uint8), np.eye(4))
    assert evaluate(masks, labels, tmp_path / "scores") == 3
    report = json.loads((tmp_path / "scores" / "report.json").read_text())
    assert {case["id"]: case["status"] for case in report["cases"]} == {
        "a": "failed",
        "b": "done",
        "extra": "failed",
        "ü c": "failed",
    }
    assert all(case["messages"] for case in report["cases"] if case["status"] == "failed")
    assert report["exit_code"] == 3
    summary = json.loads((tmp_path / "scores" / "summary.json").read_text())
    assert summary["cases"] == {"scored": 1, "failed": 3}
    assert {row["case"] for row in rows_of(tmp_path / "scores")} == {"b"}
    assert "3 of 4 cases could not be scored" in caplog.text


def test_nothing_scored_is_a_failure(folders, tmp_path):
    for path in folders[0].iterdir():
        path.write_bytes(b"<html>not found</html>")
    assert evaluate(*folders, tmp_path / "scores") == 1
    assert rows_of(tmp_path / "scores") == []


def test_labels_on_the_real_command_line(folders, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "evaluate",
        "--input",
        folders[0],
        "--reference",
        folders[1],
    ]
    options = ["--output", tmp_path / "scores", "--labels", "{one: 1, both: [1, 2]}", "--tolerance_mm", "1.5"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "NSD at 1.5 mm" in done.stderr
    assert [row["structure"] for row in rows_of(tmp_path / "scores")][:2] == ["one", "both"]


@pytest.mark.shared_data
def test_real_references_score_perfectly_against_themselves(shared_data, tmp_path):
    for kind, labels in (
        ("head_neck_ct/labelsTr", None),
        ("em_membranes/masks", {"membrane": 0, "cell": 255}),
    ):
        source, copies = shared_data / kind, tmp_path / kind
        copies.mkdir(parents=True)
        for path in sorted(source.iterdir())[:3]:
            volume = read_labels(path)
            write_labels(copies / path.name, volume.array[0], volume.affine)
        only = tmp_path / "only" / kind
        shutil.copytree(copies, only)
        if (dataset := source.parent / "dataset.json").is_file():
            shutil.copy(dataset, only.parent)
        assert evaluate(copies, only, tmp_path / "scores" / kind, labels=labels) == 0
        rows = rows_of(tmp_path / "scores" / kind)
        found = [row for row in rows if row["status"] != "both_empty"]
        assert found
        assert {(float(row["dice"]), float(row["hd95_mm"]), float(row["error_rate"])) for row in found} == {(1, 0, 0)}
