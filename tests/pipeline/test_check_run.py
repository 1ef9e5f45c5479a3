import json
import logging
import os

import cv2
import nibabel as nib
import numpy as np
import pytest

from datamodules.formats import read_volume
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


def test_a_file_whose_name_is_no_text_is_refused_with_a_report(tmp_path):
    root = tmp_path / "set"
    for folder, array in (("images", np.arange(64.0)), ("masks", np.arange(64) % 2 * 255)):
        (root / folder).mkdir(parents=True)
        cv2.imwrite(str(root / folder / "a.png"), array.reshape(8, 8))
        (root / folder / "a.png").rename(os.fsdecode(os.fsencode(root / folder) + b"/caf\xe90.png"))
    settings = CheckSettings(labels={"cell": 255}, folds=2)
    assert run_check(root, settings, output=tmp_path / "out", workers=0, cache_dir=tmp_path / "cache") == 1
    content = json.loads((tmp_path / "out" / "check.json").read_text())
    assert [finding["code"] for finding in content["findings"]] == ["layout"]
    assert (tmp_path / "out" / "check.html").stat().st_size > 1000


def test_no_report_and_no_log_names_the_patient(tmp_path, make_dicom_series, caplog):
    rows = []
    for number in range(3):
        folder = tmp_path / "scans" / f"s{number}"
        identity = {"PatientID": f"HN-4711-{number // 2}", "PatientName": f"Muster^Erika{number}"}
        make_dicom_series(folder, seed=number, **identity)
        label = np.zeros((14, 12, 9), np.uint8)
        label[2:5, 2:5, 2 : 5 + number] = 1
        affine = read_volume(folder).affine
        nib.save(nib.Nifti1Image(label, affine), tmp_path / f"{number}.nii.gz")
        rows.append(f"s{number},{folder},{tmp_path / f'{number}.nii.gz'}")
    table = tmp_path / "cases.csv"
    table.write_text("\n".join(["id,image,label", *rows]))
    settings = CheckSettings(labels={"organ": 1}, folds=2)
    with caplog.at_level(logging.DEBUG):
        run_check(table, settings, output=tmp_path / "out", workers=0, cache_dir=tmp_path / "cache")
    content = json.loads((tmp_path / "out" / "check.json").read_text())
    groups = [case["group"] for case in content["cases"].values()]
    assert groups[0] == groups[1] != groups[2]
    shown = [caplog.text, *((tmp_path / "out" / name).read_text() for name in ("check.json", "check.html"))]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*.npz")).decode("latin-1")
    assert not any(word in text for text in (*shown, kept) for word in ("HN-4711", "Muster", "Erika"))
