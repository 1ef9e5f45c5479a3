import os
import subprocess
import sys

import pytest
import yaml

from pipeline.cli import main
from pipeline.config.files import shipped_names

CUSTOM = """
from networks.base import Network
class HomeMade(Network):
    def __init__(self, in_channels: int, out_channels: int, width: int = 4):
        super().__init__()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments, "--print_config"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_config_resolves_to_itself(capsys, folder, name):
    first = printed(capsys, "--config", name)
    (folder / "again.yaml").write_text(first)
    assert printed(capsys, "--config", "again.yaml") == first
    resolved = yaml.safe_load(first)
    assert list(resolved) == ["seed_everything", "model", "data", "trainer"]
    assert resolved["trainer"]["logger"]["class_path"] == "pipeline.tracking.logger.MlflowLogger"
    assert resolved["model"]["init_args"]["network"]["class_path"].startswith("networks.")


def test_overrides_on_top_of_a_shipped_config(capsys):
    given = "--data.root x --model.network.channels [8,16] --model.network.strides [1,2] --trainer.max_epochs 3"
    resolved = yaml.safe_load(printed(capsys, "--config", "unet_ct.yaml", *given.split()))
    assert resolved["data"]["init_args"]["root"] == "x"
    assert resolved["model"]["init_args"]["network"]["init_args"]["channels"] == [8, 16]
    assert resolved["trainer"]["max_epochs"] == 3


WRONG = {
    "--trainer.max_epoch 3": "'trainer.max_epochs'",
    "--model.network.chanels [8]": "'model.network.channels'",
    "--data.preprocessing.spacing 1": "'data.preprocessing.spacing_mm'",
    "--data.augmentation.rotation 1": "'data.augmentation.rotation_",
    "--trainer.logger.experimet x": "'trainer.logger.experiment'",
    "--trainer.precision bf17": "trainer.precision: expected",
    "--model.network UNot": "no class 'UNot'; the nearest is 'UNet'",
    "--model.network os.system": "--allow-custom-code",
    "--data.rot x": "'data.root'",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_f34_refused_in_one_line_before_any_work(capsys, folder, arguments):
    assert main(["train", "--config", "unet_ct.yaml", *arguments.split()]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert WRONG[arguments] in shown.err
    assert list(folder.iterdir()) == []


def test_f34_key_given_twice(capsys, folder):
    (folder / "twice.yaml").write_text("trainer:\n  devices: 1\n  devices: 2\n")
    assert main(["train", "--config", "twice.yaml"]) == 2
    assert "key 'trainer.devices' is given twice, in lines 2 and 3" in capsys.readouterr().err


def test_classes_of_the_current_folder_with_the_switch(folder):
    (folder / "home.py").write_text(CUSTOM)
    # A process of its own: what may be imported is set once for a process. -P keeps the folder off its path.
    command = [
        sys.executable,
        "-P",
        "-m",
        "pipeline",
        "train",
        "--config",
        "unet_ct.yaml",
        "--print_config",
    ]
    command += ["--model.network", "home.HomeMade", "--allow-custom-code"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert yaml.safe_load(ended.stdout)["model"]["init_args"]["network"]["class_path"] == "home.HomeMade"


def test_f33_classes_of_the_current_folder_without_the_switch(capsys, folder, monkeypatch):
    (folder / "home.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(folder)
    assert main(["train", "--config", "unet_ct.yaml", "--model.network", "home.HomeMade"]) == 2
    assert "--allow-custom-code" in capsys.readouterr().err
    assert "home" not in sys.modules
