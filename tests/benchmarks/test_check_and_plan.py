"""The benchmark of check and plan runs both commands, and compares them with reading the files plainly."""

import importlib.util
from pathlib import Path

import pytest

from datamodules.phantom import make_phantom

FILE = Path(__file__).parents[2] / "benchmarks" / "check_and_plan.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_check_and_plan", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("data") / "phantom", cases=2, shape=(24, 16, 16), workers=0)


def test_every_file_is_read(benchmark, data):
    assert 0 < benchmark.plain_reading_s(data) < benchmark.LIMIT_S


def test_a_command_that_fails_is_shown_and_not_timed(benchmark, tmp_path):
    with pytest.raises(SystemExit, match="no such file or folder"):
        benchmark.command_s("check", str(tmp_path / "absent"))


def test_labels_are_read_as_well_as_images(benchmark, tmp_path):
    data = make_phantom(tmp_path / "phantom", cases=1, shape=(24, 16, 16), workers=0)
    (label,) = (data / "labelsTr").iterdir()
    label.write_bytes(label.read_bytes()[:-40])
    with pytest.raises((EOFError, OSError)):
        benchmark.plain_reading_s(data)
