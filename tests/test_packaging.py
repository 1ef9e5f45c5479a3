"""The wheel holds all that the command needs, and works where the repository is not."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ("configs", "datamodules", "networks", "pipeline")
BESIDE = ("pyproject.toml", "README.md", "LICENSE")


def run(*command, folder, **environment):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def source_files() -> list[str]:
    """The files that git tracks or would; without git, those of the packages and what the build reads beside them."""
    if shutil.which("git") and (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return sorted({name for name in listed.split("\0") if (ROOT / name).is_file()})
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    return [*BESIDE, *(path.relative_to(ROOT).as_posix() for path in found if path.suffix != ".pyc")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    # A copy, as a build leaves folders in its source.
    source = tmp_path_factory.mktemp("source")
    for name in source_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    output = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(output), str(source), folder=source)
    (built,) = output.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-index", "--no-compile", "--quiet", "--disable-pip-version-check"]
    run("-m", "pip", "install", *options, "--target", str(target), str(wheel), folder=target)
    return target


def test_the_wheel_holds_all_modules_configs_and_the_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {name for name in source_files() if name.split("/")[0] in PACKAGES}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert {f"{package}/py.typed" for package in PACKAGES[1:]} <= names
    assert {f"configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")} <= names
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_wheel_names_its_command_and_licence(wheel):
    archive = zipfile.ZipFile(wheel)
    (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    assert "pipeline = pipeline.cli:main" in archive.read(f"{folder}/entry_points.txt").decode()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = archive.read(f"{folder}/METADATA").decode().splitlines()
    assert f"Version: {project['version']}" in metadata
    assert f"License-Expression: {project['license']}" in metadata


def test_the_installed_command_finds_its_configs_from_any_folder(installed, tmp_path):
    # A `configs` of the user's own must not hide the shipped one.
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "__init__.py").touch()
    where = "import pipeline, networks, datamodules; print(pipeline.__file__, networks.__file__, datamodules.__file__)"
    for place in run("-c", where, folder=tmp_path, PYTHONPATH=str(installed)).split():
        assert Path(place).is_relative_to(installed)
    command = ["-m", "pipeline", "train", "--config", "unet_ct.yaml", "--print_config"]
    printed = run(*command, folder=tmp_path, PYTHONPATH=str(installed), OMP_NUM_THREADS="1")
    assert yaml.safe_load(printed)["model"]["init_args"]["network"]["class_path"].endswith("UNet")
    shown = run("-m", "pipeline", "--version", folder=tmp_path, PYTHONPATH=str(installed))
    assert shown == f"pipeline {version('segpose-pipeline')}\n"
