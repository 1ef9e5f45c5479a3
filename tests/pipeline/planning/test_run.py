import json
import shlex

import pytest
import yaml

from datamodules.formats.errors import DataError
from pipeline.config.errors import UsageError
from pipeline.planning.noted import plain
from pipeline.planning.run import end_of_plan, fingerprint_path, kind_of, run_plan, train_command


@pytest.fixture(scope="module")
def volumes(write_volumes, tmp_path_factory):
    return write_volumes(tmp_path_factory.mktemp("data") / "ct")


def test_config_and_fingerprint_are_written(volumes, tmp_path, make_options):
    output = tmp_path / "new folder" / "my.yaml"
    plan = run_plan(make_options(volumes), output)
    text = output.read_text()
    assert yaml.safe_load(text) == plain(plan.tree)
    assert "#   5 cases of 5 groups" in text
    assert f"#   pipeline train --config '{output}'" in text
    assert json.loads((output.parent / "my.fingerprint.json").read_text())["cases"] == 5
    end = end_of_plan(plan, output)
    assert "U-Net 3-D" in end
    assert end.endswith(train_command(output))


def test_f19_a_file_that_is_there_is_kept_unless_told(volumes, tmp_path, make_options):
    output = tmp_path / "my.yaml"
    output.write_text("mine: 1\n")
    with pytest.raises(UsageError, match="--overwrite"):
        run_plan(make_options(volumes), output)
    assert output.read_text() == "mine: 1\n"
    run_plan(make_options(volumes), output, overwrite=True)
    assert "seed_everything" in output.read_text()


def test_keypoints_are_told_from_volumes(volumes, tmp_path, write_persons):
    assert kind_of(volumes) == "segmentation"
    assert kind_of(write_persons(tmp_path / "persons", count=2)) == "pose"
    with pytest.raises(DataError, match="nothing at this path"):
        kind_of(tmp_path / "missing")


def test_the_fingerprint_lies_beside_the_config(tmp_path):
    assert fingerprint_path(tmp_path / "my.run.yml").name == "my.run.fingerprint.json"


def test_the_command_can_be_pasted_whatever_the_path(tmp_path):
    path = tmp_path / "it's mine" / "my $x.yaml"
    assert shlex.split(train_command(path)) == ["pipeline", "train", "--config", str(path)]


def test_memory_that_cannot_suffice_is_refused_before_anything_is_read(tmp_path, make_options):
    with pytest.raises(UsageError, match="--memory: expected more than"):
        run_plan(make_options(tmp_path / "none", memory_bytes=2**20), tmp_path / "my.yaml")
