"""The README's commands run as they stand there, on generated data and with a tiny budget."""

import re
import shlex
from pathlib import Path

import pytest

from datamodules.phantom import make_phantom
from pipeline.cli import main

ROOT = Path(__file__).parents[1]
BUDGET = [
    *("--trainer.max_epochs", "1", "--data.steps_per_epoch", "2", "--data.workers", "0"),
    *("--data.patch_size", "[16,16,16]", "--model.network.channels", "[4,8,8]", "--model.network.strides", "[1,2,2]"),
    *("--model.network.convs_per_level", "1"),
]


def commands(heading):
    section = (ROOT / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [
        line.split("#")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", section, re.S)
        for line in block.splitlines()
    ]


def test_the_way_from_data_to_scores_runs_as_written(tmp_path, monkeypatch):
    data = make_phantom(tmp_path / "DATA", cases=5, shape=(32, 24, 24), workers=0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    places = {"DATA": str(data), "FOLDER": str(data / "imagesTr"), "LABELS": str(data / "labelsTr")}
    written = commands("Your own data")
    assert [shlex.split(line)[1] for line in written] == ["train", "predict", "evaluate"]
    for line in written:
        verb, *arguments = [places.get(word, word) for word in shlex.split(line)[1:]]
        extra = [*BUDGET, "--data.cache_dir", str(tmp_path / "cache")] if verb == "train" else []
        assert main([verb, *arguments, *extra]) == 0, line
    assert len(list((tmp_path / "masks").glob("*.nii.gz"))) == 5
    assert len(list((tmp_path / "masks" / "overlays").glob("*.png"))) == 5
    assert (tmp_path / "scores" / "summary.json").exists()


def test_make_has_the_targets_that_are_named():
    named = [shlex.split(line)[1] for line in commands("Start")]
    rules = (ROOT / "Makefile").read_text()
    assert named == ["train", "test"]
    for target in named:
        assert re.search(rf"^{target}: ", rules, re.M)


@pytest.mark.parametrize("name", [path.name for path in (ROOT / "configs").glob("*.yaml")])
def test_every_config_is_in_the_table(name):
    assert f"`{name}`" in (ROOT / "README.md").read_text()
