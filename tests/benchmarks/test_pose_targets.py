"""The benchmark of heatmap targets measures steps, targets and decoding, and prints a line for each setting."""

import importlib.util
from pathlib import Path

import pytest
import torch

FILE = Path(__file__).parents[2] / "benchmarks" / "pose_targets.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_pose_targets", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_targets_are_a_part_of_a_step(benchmark):
    step_s, encode_s, decode_s = benchmark.measure(benchmark.Setting(8, 64, 2), 1, torch.device("cpu"))
    assert 0 < encode_s < step_s
    assert decode_s > 0


def test_calls_that_warm_up_do_not_count(benchmark, monkeypatch):
    ticks = iter([0, 90, 90, 180, 180, 181, 181, 184, 184, 189])  # 90 s twice, then 1 s, 3 s and 5 s
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: next(ticks))
    assert benchmark.seconds(lambda: None, 3, torch.device("cpu")) == 3


def test_a_line_for_each_setting_is_printed(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "SETTINGS", (benchmark.Setting(8, 64, 2),))
    monkeypatch.setattr("sys.argv", ["pose_targets.py", "--steps", "1"])
    benchmark.main()
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[-3:] == ["share", "limit", "decoding"]
    assert line.startswith("8, 64 x 64, 2 ")
    assert line.count(" ms") == 3
