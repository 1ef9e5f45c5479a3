"""The benchmark trains equally, fits into its time, and writes what it measured."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from claims.data import PATCH, Slices, find_data, load_slices
from claims.depth import make_network
from claims.plan import QUICK, make_plan
from claims.report import Section, describe_machine, table, write_page
from claims.training import CHANCE, make_task, smoothed, train
from claims.verdicts import Outcome, Verdict
from matplotlib.figure import Figure

from networks import Classifier

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "residual_claims.py"


def test_the_label_is_that_of_the_patch_s_centre(task):
    batch = task.slices.draw(32, 0)
    assert batch.image.shape == (32, 1, PATCH, PATCH)
    assert batch.label.float().mean() == 0.5
    dark = batch.image[:, 0, PATCH // 2, PATCH // 2] < 0
    assert torch.equal(dark, batch.label == 1)


def test_one_seed_gives_the_same_patches_and_another_others(task):
    assert torch.equal(task.slices.draw(8, (1, 2)).image, task.slices.draw(8, (1, 2)).image)
    assert not torch.equal(task.slices.draw(8, (1, 2)).image, task.slices.draw(8, (1, 3)).image)


def test_a_pixel_at_the_edge_has_a_patch():
    membranes = np.zeros((1, 40, 40), dtype=bool)
    membranes[0, 0, 0] = membranes[0, 39, 39] = True
    images = np.random.default_rng(0).normal(size=membranes.shape)
    assert Slices(images, membranes).draw(16, 0).image.isfinite().all()


def test_slices_held_out_are_the_last_quarter(data):
    slices, held_out = load_slices(data)
    assert (len(slices), len(held_out)) == (3, 1)


def test_data_that_is_not_there_is_named_with_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected images/\*\.png .* name their folder with --data"):
        find_data(tmp_path)


def test_a_mask_of_another_size_is_refused(tmp_path):
    for part, size in (("images", 64), ("masks", 60)):
        (tmp_path / part).mkdir()
        for name in ("a.png", "b.png"):
            cv2.imwrite(str(tmp_path / part / name), np.zeros((size, size), np.uint8))
    with pytest.raises(ValueError, match=r"a.png: expected \(64, 64\), found \(64, 64\) and \(60, 60\)"):
        load_slices(tmp_path)


def test_training_is_the_same_for_the_same_seed_and_learns():
    membranes = np.zeros((2, 64, 64), dtype=bool)
    membranes[:, :, :32] = True  # the left half, which is dark
    slices = Slices(np.where(membranes, 60, 180), membranes)
    easy, make = make_task(slices, slices, 64, batch=16), partial(make_network, "resnet", 8, 0.25)
    runs = [train(make, easy, steps=20, seed=0, learning_rate=0.05) for _ in range(2)]
    assert runs[0].losses == runs[1].losses
    assert runs[0].train.error < 0.3
    assert runs[0].mean_error == pytest.approx(np.mean(runs[0].errors))
    assert not runs[0].diverged


def test_a_divergence_counts_as_chance_for_the_steps_that_are_left(task):
    run = train(
        lambda: Classifier(1, 2, encoder="cifar_resnet8", norm="none"), task, steps=12, seed=0, learning_rate=1e6
    )
    assert run.diverged
    assert len(run.errors) == len(run.losses) == 12
    assert run.errors[-1] == CHANCE
    assert "diverged" in run.describe()


def test_the_running_mean_ends_with_the_last_steps():
    steps, means = smoothed([[1.0] * 20 + [0.0] * 20, [1.0] * 20 + [0.0] * 20])
    assert (steps[-1], means[0], means[-1]) == (40, 1.0, 0.0)


def test_steps_are_as_many_as_fit_into_the_time(task):
    assert make_plan(task, QUICK, 600.0, 5).steps == 5
    roomy = make_plan(task, QUICK, 600.0, 10**6)
    assert roomy.forecast_s <= 600.0
    assert roomy.steps > 5
    with pytest.raises(ValueError, match=r"--minutes: expected time for 4 steps, found 0.0 minutes"):
        make_plan(task, QUICK, 1.0, 5)


def test_a_page_has_the_verdicts_the_tables_and_the_pictures(tmp_path):
    figure = Figure(figsize=(2, 2))
    section = Section(
        "key",
        "A title",
        "How.",
        ("a", "b"),
        [("1", "22")],
        [Verdict("a claim", Outcome.DISAGREES, "1 against 2")],
        figure,
    )
    written = write_page(tmp_path / "page", ["opening"], {"date": "today"}, [section])
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["page.md", "pictures/page_key.png"]
    page = written[0].read_text()
    assert "| a claim | disagrees | 1 against 2 |" in page
    assert "![A title](pictures/page_key.png)" in page
    assert table(("a", "b"), [("1", "22")]) == ["| a | b  |", "| - | -- |", "| 1 | 22 |"]


def test_the_machine_is_described_without_its_name():
    described = describe_machine()
    assert f"{os.cpu_count()} cores" in described
    assert "GiB" in described
    assert os.uname().nodename not in described


def test_the_command_tries_every_part(data, tmp_path):
    output = tmp_path / "docs" / "claims"
    words = ["--quick", "--threads", "1", "--highway", "--data", str(data), "--output", str(output)]
    ended = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    pictures = sorted(path.name for path in (tmp_path / "docs" / "pictures").iterdir())
    parts = ("convergence", "deletion", "depth", "gradient", "variance")
    assert pictures == [f"claims_{part}.png" for part in parts]
    page = output.with_suffix(".md").read_text()
    assert all(f"(pictures/{name})" in page for name in pictures)
    assert "highway 14" in page
    assert str(data) not in page
    for outcome in (line.split("|")[2].strip() for line in page.splitlines() if "converges faster" in line):
        assert outcome in {kind.value for kind in Outcome}
        assert outcome in ended.stdout
