import logging

import pytest
import yaml

from datamodules.phantom import make_phantom
from pipeline.cli import main


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("data") / "ct", cases=5, shape=(24, 20, 20), workers=0)


@pytest.fixture
def plan(phantom, tmp_path):
    """Run `pipeline plan` on a phantom, and return its exit code."""

    def run(*arguments, output="my.yaml"):
        given = ["--output", str(tmp_path / output), "--cache-dir", str(tmp_path / "cache"), "--workers", "0"]
        return main(["plan", str(phantom), *given, *arguments])

    return run


def test_a_phantom_is_planned_for(plan, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert plan("--device", "cpu", "--memory", "4GiB", "--time", "10m") == 0
    config = yaml.safe_load((tmp_path / "my.yaml").read_text())
    assert config["trainer"]["max_time"] == "00:00:10:00"
    assert config["data"]["init_args"]["preprocessing"]["intensity"] == "ct"
    assert f"pipeline train --config {tmp_path / 'my.yaml'}" in caplog.records[-1].getMessage()
    assert plan() == 2, "the file is there already"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--memory", "lots"], "--memory: expected an amount of memory"),
        (["--time", "soon"], "--time: expected a length of time"),
        (["--device", "abacus"], "--device: device 'abacus'"),
        (["--workers", "-1"], "--workers"),
        (["--slice-spacing-mm", "1", "1", "0"], "--slice-spacing-mm: expected three numbers above 0"),
        (["--memory", "10MiB"], "--memory: expected more than"),
        (["--tme", "1h"], "the nearest is '--time'"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_written(arguments, message, plan, tmp_path, caplog):
    assert plan(*arguments) == 2
    assert message in caplog.text
    assert not list(tmp_path.glob("*.yaml"))


def test_an_output_that_is_no_config_is_refused(plan, caplog):
    assert plan(output="my.txt") == 2
    assert "my.yaml" in caplog.text


def test_a_folder_that_is_not_there_is_refused(tmp_path, caplog):
    assert main(["plan", str(tmp_path / "none"), "--output", str(tmp_path / "my.yaml")]) == 2
    assert "no such file or folder" in caplog.text
