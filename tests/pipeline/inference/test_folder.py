"""A prediction that is killed goes on where it was."""

import json
import logging
import os
import signal
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import pytest
import torch

from datamodules.inputs import find_inputs
from pipeline.inference.folder import FolderPrediction
from pipeline.inference.predictor import PredictionSettings, SegmentationPredictor
from pipeline.inference.resume import JOURNAL_NAME
from pipeline.logs import set_up_logging
from pipeline.model_folder import load_model_folder

CASES = 24  # so many that a slow look at the folder still comes before the last one
COMMAND = """
import signal
import sys
from pathlib import Path
import torch
from pipeline.commands.predict import predict
torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
sys.exit(predict(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), overlap=0.75))
"""


def start(model, source, output):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(model), str(source), str(output)], stderr=subprocess.DEVNULL
    )


def predict_here(model, source, output):
    settings = PredictionSettings(overlap=0.75)
    predictor = SegmentationPredictor(load_model_folder(model), torch.device("cpu"), settings)
    return FolderPrediction(predictor, output).run(find_inputs(source, predictor.channels))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_f30_a_killed_prediction_goes_on_where_it_was(tmp_path, make_model, write_scan, how):
    model = make_model(tmp_path / "model")
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(CASES):
        write_scan(source / f"case{number:02d}.nii.gz", shape=(16, 16, 16), seed=number)
    process = start(model, source, output)
    deadline = time.monotonic() + 60
    while not (output / "case01.nii.gz").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, how)
    assert process.wait(timeout=60) != 0
    assert (output / JOURNAL_NAME).exists()
    assert not (output / "report.json").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in output.glob("case*.nii.gz")}
    assert 2 <= len(finished) < CASES

    report = predict_here(model, source, output)
    assert report.exit_code == 0
    assert report.count("skipped") >= len(finished) - 1  # the kill may fall between a file and its record
    assert report.count("done") + report.count("skipped") == CASES
    for case in report.cases:
        if case.status == "skipped":
            name = f"{case.id}.nii.gz"
            assert (output / name).stat().st_mtime_ns == finished[name]
    whole = predict_here(model, source, make_folder(tmp_path / "again"))
    assert whole.count("done") == CASES
    for case in whole.cases:
        masks = [nib.load(folder / f"{case.id}.nii.gz").get_fdata() for folder in (output, tmp_path / "again")]
        np.testing.assert_array_equal(*masks)
    assert sorted(path.name for path in output.iterdir() if not path.name.startswith(".")) == [
        *(f"case{number:02d}.nii.gz" for number in range(CASES)),
        "labels.json",
        "report.json",
    ]


def make_folder(path):
    path.mkdir()
    return path


def test_the_report_says_how_each_case_went(tmp_path, make_model, write_scan):
    model = make_model(tmp_path / "model")
    source = make_folder(tmp_path / "in")
    write_scan(source / "a.nii.gz")
    output = make_folder(tmp_path / "out")
    predict_here(model, source, output)
    content = json.loads((output / "report.json").read_text())
    assert content["device"] == "cpu"
    assert content["model"]["sha256"] == load_model_folder(model).sha256
    assert content["settings"]["overlap"] == 0.75
    assert content["versions"]["torch"] == torch.__version__
    case = content["cases"][0]
    assert case["seconds"] > 0
    assert case["peak_memory_mib"] > 10
    assert case["outputs"] == ["a.nii.gz"]


def test_an_error_while_writing_fails_the_case_and_spares_the_others(tmp_path, make_model, write_scan):
    source, output = make_folder(tmp_path / "in"), make_folder(tmp_path / "out")
    model = make_model(tmp_path / "model")
    for name in "abc":
        write_scan(source / f"{name}.nii.gz")
    settings = PredictionSettings(overlays=True)
    predictor = SegmentationPredictor(load_model_folder(model), torch.device("cpu"), settings)
    (make_folder(output / "overlays") / "b.png").mkdir()  # a folder is in the way
    report = FolderPrediction(predictor, output, overwrite=True).run(find_inputs(source, 1))
    assert [case.status for case in report.cases] == ["done", "failed", "done"]
    assert report.exit_code == 3
    assert "unfinished attempt" in report.cases[1].messages[-1]


def test_each_line_is_logged_once(tmp_path, make_model, capsys):
    source, output = make_folder(tmp_path / "in"), make_folder(tmp_path / "out")
    (source / "bad.nii.gz").write_bytes(b"no scan")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    try:
        set_up_logging()
        report = predict_here(make_model(tmp_path / "model"), source, output)
    finally:
        root.handlers[:], root.level = handlers, level
        logging.captureWarnings(False)
    assert report.count("failed") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "bad: " in line]
    assert len(lines) == 1
    assert lines[0].startswith("error: bad: ")


def test_label_names_of_another_model_are_not_replaced_unasked(tmp_path, make_model):
    model = load_model_folder(make_model(tmp_path / "model"))
    predictor = SegmentationPredictor(model, torch.device("cpu"), PredictionSettings())
    output = make_folder(tmp_path / "out")
    (output / "labels.json").write_text("{}")
    with pytest.raises(Exception, match=r"labels\.json"):
        FolderPrediction(predictor, output)
    FolderPrediction(predictor, output, overwrite=True)
