"""The commands of README.md and docs/ run as they stand there, on generated data and with a tiny budget."""

import json
import re
import shlex
from pathlib import Path

import pandas
import pytest

from datamodules.figures import make_figures
from datamodules.phantom import make_phantom
from pipeline.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BUDGET = ["--trainer.max_epochs", "1", "--data.steps_per_epoch", "2", "--data.workers", "0"]
UNET = [
    *("--data.patch_size", "[16,16,16]", "--model.network.channels", "[4,8,8]", "--model.network.strides", "[1,2,2]"),
    *("--model.network.unit", "plain", "--model.network.units_per_level", "1"),
]
HOURGLASS = [
    *("--data.input_size", "[64,64]", "--data.batch_size", "2"),
    *("--model.network.stacks", "1", "--model.network.features", "8", "--model.network.depth", "2"),
]


def commands(page, program):
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.split()[0] == program]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("docs") / "DATA", cases=5, shape=(32, 24, 24), workers=0)


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    return make_figures(tmp_path_factory.mktemp("docs") / "KEYPOINTS", images=12, frames=12, workers=0)


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_dicom_series):
    """Two series in folders of their own."""
    folder = tmp_path_factory.mktemp("docs") / "STUDY"
    for number, name in enumerate(("first", "second")):
        make_dicom_series(folder / name, shape=(24, 20, 12), seed=number)
    return folder


def budget(arguments):
    """What makes a training quick."""
    if "my.yaml" in arguments:
        return BUDGET  # it is planned for this data
    if any("hourglass" in word for word in arguments):
        return [*BUDGET, *HOURGLASS]
    # Multiples of the encoder's whole step.
    wide = ["--data.patch_size", "[64,32,32]"] if "--model.network.encoder" in arguments else []
    return [*BUDGET, *UNET, *wide]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_way_from_data_to_results_runs_as_written(page, data, figures, study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    places = {
        "DATA": data,
        "KEYPOINTS": figures,
        "FOLDER": data / "imagesTr",
        "FRAMES": figures / "images",
        "LABELS": data / "labelsTr",
        "DATA/labelsTr": data / "labelsTr",
        "VIDEO": figures / "video.mp4",
        "SERIES": study / "first",
        "STUDY": study,
    }
    written = commands(page, "pipeline")
    verbs = {verb for verb, *_ in written}
    for words in written:
        verb, *arguments = [str(places.get(word, word)) for word in words]
        extra = [*budget(arguments), "--data.cache_dir", str(tmp_path / "cache")] if verb == "train" else []
        if "--print_config" in arguments:
            with pytest.raises(SystemExit) as stop:
                main([verb, *arguments])
            assert stop.value.code == 0
        else:
            assert main([verb, *arguments, *extra]) == 0, words
    if "predict" in verbs and page.name != "dicom.md":
        assert len(list((tmp_path / "masks").glob("*.nii.gz"))) == 5
        assert len(list((tmp_path / "masks" / "overlays").glob("*.png"))) == 5
    if page.name == "dicom.md":
        assert (tmp_path / "segmentations" / "first.nii.gz").exists()
        reports = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("segmentations*/report.json"))]
        assert [[case["id"] for case in report["cases"]] for report in reports] == [["first"], ["first", "second"]]
    if "evaluate" in verbs:
        assert (tmp_path / "scores" / "summary.json").exists()
    if "pose" in verbs:
        assert len(pandas.read_csv(tmp_path / "joints" / "video" / "pose.csv")) == 12 * 14


@pytest.mark.parametrize(
    ("page", "verbs"),
    [
        ("README.md", ["check", "plan", "train", "predict", "evaluate", "train", "pose"]),
        ("docs/segmentation.md", ["predict", "evaluate"]),
        ("docs/pose.md", ["train", "pose", "pose", "pose"]),
        ("docs/dicom.md", ["train", "predict", "predict"]),
    ],
)
def test_these_pages_end_with_results(page, verbs):
    assert [verb for verb, *_ in commands(ROOT / page, "pipeline")][-len(verbs) :] == verbs


def test_make_has_the_targets_that_are_named():
    named = [target for target, *_ in commands(ROOT / "README.md", "make")]
    rules = (ROOT / "Makefile").read_text()
    assert named == ["train", "test"]
    for target in named:
        assert re.search(rf"^{target}: ", rules, re.M)


@pytest.mark.parametrize("name", [path.name for path in (ROOT / "configs").glob("*.yaml")])
def test_every_config_is_in_the_table(name):
    assert f"`{name}`" in (ROOT / "README.md").read_text()
