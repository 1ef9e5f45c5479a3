from pathlib import Path

import numpy as np
import pytest

from datamodules.formats import write_labels
from pipeline.config.errors import UsageError
from pipeline.evaluation_run import run_evaluation

OPTIONS = {"tolerance_mm": 2.0, "labels": None, "seed": 0, "workers": 0}


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for case in "abc":
        for side in ("masks", "labels"):
            (tmp_path / side).mkdir(exist_ok=True)
            write_labels(tmp_path / side / f"{case}.nii.gz", rng.integers(0, 3, (6, 6, 6)), np.eye(4))
    return tmp_path / "masks", tmp_path / "labels"


def test_worker_processes_give_the_same_bytes(folders, tmp_path):
    outputs = [tmp_path / "one", tmp_path / "two"]
    for output, workers in zip(outputs, (0, 2), strict=True):
        assert run_evaluation(*folders, output, **(OPTIONS | {"workers": workers})) == 0
    for name in ("scores.csv", "summary.json"):
        assert (outputs[0] / name).read_bytes() == (outputs[1] / name).read_bytes()


@pytest.mark.parametrize("side", [0, 1])
def test_results_are_not_written_among_the_inputs(folders, side):
    before = sorted(folders[side].iterdir())
    with pytest.raises(UsageError, match="--output"):
        run_evaluation(*folders, folders[side] / ".." / folders[side].name, **OPTIONS)
    assert sorted(folders[side].iterdir()) == before


@pytest.mark.parametrize("wrong", [{"tolerance_mm": -1.0}, {"tolerance_mm": float("nan")}, {"workers": -1}])
def test_impossible_options_are_refused(folders, tmp_path, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong)).replace("_", "-")):
        run_evaluation(*folders, tmp_path / "out", **(OPTIONS | wrong))
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(folders, tmp_path):
    output: Path = tmp_path / "out"
    output.write_text("mine")
    with pytest.raises(UsageError, match="the file"):
        run_evaluation(*folders, output, **OPTIONS)
    assert output.read_text() == "mine"
