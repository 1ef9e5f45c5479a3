"""The real commands on photographs, laboratory frames and video, with networks too small to be good."""

import json

import numpy as np
import pandas
import pytest

from pipeline.cli import main

NARROW = [
    *("--model.network.stacks", "1", "--model.network.features", "8", "--model.network.depth", "2"),
    *("--data.input_size", "[64,64]", "--data.batch_size", "4"),
]

pytestmark = pytest.mark.shared_data


@pytest.mark.parametrize(
    ("config", "folder", "joints", "subjects", "cut"),
    [
        ("hourglass_person.yaml", "sports_pose", 14, 2400, "box"),
        ("hourglass_mouse.yaml", "open_field_mouse", 4, 86, "image"),
        ("hourglass_mouse.yaml", "mirror_mouse", 17, 90, "image"),
    ],
)
def test_shipped_configs_train_on_the_sets_that_they_are_for(config, folder, joints, subjects, cut, train, shared_data):
    run = train(config, "--data.root", str(shared_data / folder), *NARROW)
    model = json.loads((run / "model" / "model.json").read_text())
    assert len(model["labels"]["names"]) == joints
    assert np.isfinite(model["metrics"]["rmse_px"])
    assert model["preprocessing"]["subject"] == cut
    split = json.loads((run / "split.json").read_text())
    assert len(split["train"]) + len(split["validation"]) == subjects
    # No side is known for the joints of the mirrored mouse, so it may not be mirrored.
    assert model["inference"]["flip_test"] == (folder != "mirror_mouse")


def test_f25_rows_equal_the_decoded_frames_of_real_videos(train, work, figures, shared_data):
    train("hourglass_person.yaml", "--data.root", str(figures), *NARROW)
    videos = [
        shared_data / "videos" / "person_dancing.mp4",
        shared_data / "mirror_mouse" / "videos" / "test_vid.mp4",
    ]
    command = ["pose", "--model", "last", "--output", str(work / "joints"), "--input", *map(str, videos)]
    assert main([*command, "--overlay"]) == 0
    for video, frames in zip(videos, (450, 994), strict=True):
        table = pandas.read_parquet(work / "joints" / video.stem / "pose.parquet")
        assert len(table) == 14 * frames
        assert table.frame.nunique() == frames
        assert (np.diff(table.groupby("frame").time_s.first()) > 0).all()
        assert (work / "joints" / video.stem / "pose_overlay.mp4").stat().st_size > 10_000
    report = json.loads((work / "joints" / "report.json").read_text())
    assert [case["status"] for case in report["cases"]] == ["done", "done"]
