"""The benchmark of videos measures sides that do the same work."""

import importlib.util
import json
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


def test_the_overlay_is_measured_on_the_table_of_the_same_video(sides):
    _, made = sides
    assert made.overlay() == made.overlay() == 20


def test_all_sides_leave_out_the_flip_test_whatever_the_model_says(sides, tmp_path, monkeypatch):
    benchmark, made = sides
    model = benchmark.make_model(tmp_path / "model")
    description = json.loads((model / "model.json").read_text())
    description["inference"]["flip_test"] = True
    (model / "model.json").write_text(json.dumps(description))
    again = benchmark.Sides(model, made.video, "cpu")
    assert not again.predictor.flip_test


@pytest.mark.parametrize(
    ("end", "words"), [(95.0, ["0.95", "0.95", "0.95  met"]), (80.0, ["1.60", "0.80", "0.80  NOT MET"])]
)
def test_the_stricter_ratio_is_judged(sides, end, words):
    benchmark, _ = sides
    one = 100.0 if end > 90 else 50.0
    rates = {"decode alone": 100.0, "network alone": one, "n": 120.0, "end to end": end, "plain loop": 20.0}
    lines = benchmark.verdict(rates, "n")
    assert [line[52:].strip() for line in lines[:3]] == words
    assert "stricter" in lines[2]
    assert lines[3].endswith("met")
