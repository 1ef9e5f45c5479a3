"""The benchmark of videos measures sides that do the same work."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from datamodules.formats.video_writer import VideoWriter

FILE = Path(__file__).parents[2] / "benchmarks" / "video.py"


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("benchmark_video", FILE)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    folder = tmp_path_factory.mktemp("video")
    with VideoWriter(folder / "video.mp4", 64, 48, fps=25) as video:
        for number in range(20):
            video.write(np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8), number / 25)
    model = benchmark.make_model(folder / "model")
    return benchmark, benchmark.Sides(model, folder / "video.mp4", "cpu")


def test_all_sides_work_through_the_frames(sides):
    _, made = sides
    assert made.decode() == made.plain() == made.end_to_end() == made.frames == 20
    assert made.network() == made.networks() == 16  # whole batches


def test_the_best_of_all_but_the_first_run_counts(sides, monkeypatch):
    benchmark, _ = sides
    ticks = iter([0, 1, 1, 5, 5, 7])  # 1 s to warm up, then 4 s and 2 s
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: next(ticks))
    assert benchmark.best_rates({"side": lambda: 100}, repeats=2) == {"side": 50}
