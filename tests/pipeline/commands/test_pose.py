"""The pose command, from a model folder and videos to tables and what lies beside them."""

import csv
import json
import logging

import cv2
import numpy as np
import pandas as pd
import pytest

from datamodules.formats.errors import DataError
from datamodules.formats.frames import open_frames
from pipeline.commands.pose import pose
from pipeline.config.errors import UsageError
from pipeline.config.function_cli import call_with_arguments
from pipeline.inference.pose_finishing import FILLED, LOW, NO_REGION, OK, OUTSIDE, UNREADABLE


@pytest.fixture(scope="module")
def pose_model(tmp_path_factory, make_pose_model):
    return str(make_pose_model(tmp_path_factory.mktemp("models") / "model"))


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_frame_has_a_row_for_each_joint_and_the_tables_agree(tmp_path, pose_model, write_video):
    video = write_video(tmp_path / "cage 1.mp4", frames=21)
    out = tmp_path / "out"
    assert pose(pose_model, [video], out, device="cpu") == 0
    rows = table(out / "cage 1" / "pose.csv")
    assert list(rows[0]) == ["frame", "time_s", "joint", "x", "y", "confidence", "status"]
    assert [(int(row["frame"]), row["joint"]) for row in rows] == [
        (frame, joint) for frame in range(21) for joint in ("nose", "left_hand", "right_hand", "tail")
    ]
    np.testing.assert_allclose([float(row["time_s"]) for row in rows[::4]], np.arange(21) / 25, atol=1e-3)
    assert {row["status"] for row in rows} <= {OK, LOW, OUTSIDE}
    labels = pd.read_csv(out / "cage 1" / "pose_deeplabcut.csv", header=[0, 1, 2], index_col=0)
    nose = labels.xs(("nose", "x"), axis=1, level=(1, 2)).to_numpy()[:, 0]
    np.testing.assert_allclose(nose, [float(row["x"]) for row in rows[::4]], atol=1e-2)
    results = json.loads((out / "cage 1" / "pose_coco.json").read_text())
    assert [result["image_id"] for result in results] == list(range(21))
    np.testing.assert_allclose([result["keypoints"][0] for result in results], nose, atol=1e-2)


def test_several_inputs_are_worked_through_and_the_summary_says_where_results_are(
    tmp_path, pose_model, write_video, caplog
):
    caplog.set_level(logging.INFO)
    (tmp_path / "videos").mkdir()
    (tmp_path / "frames").mkdir()
    for name in ("a", "b"):
        write_video(tmp_path / "videos" / f"{name}.avi", frames=3)
    for name in ("img2.png", "img10.png"):
        cv2.imwrite(str(tmp_path / "frames" / name), np.zeros((40, 50, 3), np.uint8))
    out = tmp_path / "out"
    assert pose(pose_model, [tmp_path / "videos", tmp_path / "frames"], out, device="cpu") == 0
    report = json.loads((out / "report.json").read_text())
    assert [case["id"] for case in report["cases"]] == ["a", "b", "frames"]
    assert len(table(out / "frames" / "pose.csv")) == 2 * 4
    assert "3 done, 0 skipped, 0 failed" in caplog.text
    assert str(out / "report.json") in caplog.text


def test_the_command_line_takes_several_inputs(tmp_path, pose_model, write_video):
    videos = [str(write_video(tmp_path / f"{name}.mp4", frames=2)) for name in ("a", "b c")]
    out = tmp_path / "out"
    options = ["--model", pose_model, "--input", *videos, "--output", str(out), "--device", "cpu"]
    assert call_with_arguments(pose, "pose", options) == 0
    assert len(table(out / "a" / "pose.csv")) == len(table(out / "b c" / "pose.csv")) == 2 * 4


def test_a_file_of_boxes_and_gaps(tmp_path, pose_model, write_video):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("frame,x,y,width,height\n2,5,5,30,30\n4,8,6,30,30\n")
    video = write_video(tmp_path / "a.mp4", frames=6)
    options = {"region": str(boxes), "min_confidence": 0.0, "smooth": "one-euro", "fill_gap": 3}
    assert pose(pose_model, [video], tmp_path / "out", device="cpu", **options) == 0
    status = [row["status"] for row in table(tmp_path / "out" / "a" / "pose.csv")]
    assert status[:8] == [NO_REGION] * 8
    assert not {NO_REGION, FILLED, UNREADABLE} & set(status[8:])
    messages = json.loads((tmp_path / "out" / "report.json").read_text())["cases"][0]["messages"]
    assert any("2 frames have no box of their own" in message for message in messages)


def test_f27_a_truncated_file_gives_the_rows_that_decode_and_exit_code_3(tmp_path, pose_model, write_video):
    whole = write_video(tmp_path / "whole.mkv", frames=120)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with open_frames(cut) as frames:
        readable = sum(frame.image is not None for frame in frames)
    assert 0 < readable < 120
    assert pose(pose_model, [cut], tmp_path / "out", device="cpu") == 3
    rows = table(tmp_path / "out" / "cut" / "pose.csv")
    assert sum(row["x"] != "" for row in rows) == 4 * readable


def test_f32_a_model_for_masks_is_refused(tmp_path, make_model, write_video):
    video = write_video(tmp_path / "a.mp4", frames=2)
    with pytest.raises(UsageError, match="expected a pose model, found one for segmentation"):
        pose(str(make_model(tmp_path / "masks")), [video], tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("region", "middle", "--region"),
        ("fill_gap", -1, "fill gap"),
        ("min_confidence", 2.0, "min confidence"),
        ("batch_size", 0, "batch size"),
        ("device", "abacus", "abacus"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path, pose_model, write_video, option, value, message
):
    video = write_video(tmp_path / "a.mp4", frames=2)
    with pytest.raises(UsageError, match=message):
        pose(pose_model, [video], tmp_path / "out", **{"device": "cpu", option: value})
    assert not (tmp_path / "out").exists()


def test_an_output_that_would_mix_with_the_input_is_refused(tmp_path, pose_model, write_video):
    frames = tmp_path / "frames"
    frames.mkdir()
    cv2.imwrite(str(frames / "1.png"), np.zeros((40, 50, 3), np.uint8))
    video = write_video(tmp_path / "a.mp4", frames=2)
    for source, output in ((video, tmp_path), (frames, frames), (frames, tmp_path)):
        with pytest.raises(UsageError, match="--output"):
            pose(pose_model, [source], output, device="cpu")
    with pytest.raises(UsageError, match="no such file"):
        pose(pose_model, [tmp_path / "absent.mp4"], tmp_path / "out", device="cpu")
    with pytest.raises(UsageError, match="found none"):
        pose(pose_model, [], tmp_path / "out", device="cpu")
    with pytest.raises(UsageError, match="expected a folder, found a file"):
        pose(pose_model, [frames], video, device="cpu")


def test_f31_two_videos_of_one_name_are_refused_before_anything_is_written(tmp_path, pose_model, write_video):
    (tmp_path / "x").mkdir()
    videos = [write_video(tmp_path / "rat.mp4", frames=2), write_video(tmp_path / "x" / "RAT.avi", frames=2)]
    with pytest.raises(DataError, match="RAT"):
        pose(pose_model, videos, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [(61, 45), (33, 90)])
def test_f28_odd_sizes_and_a_single_frame_are_handled(tmp_path, pose_model, write_video, size):
    video = write_video(tmp_path / "a.mp4", frames=1, size=size)
    assert pose(pose_model, [video], tmp_path / "out", device="cpu", overlay=True, smooth="median") == 0
    with open_frames(tmp_path / "out" / "a" / "pose_overlay.mp4") as frames:
        assert len(list(frames)) == 1


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "frames"), [("videos/person_dancing.mp4", 450), ("mirror_mouse/videos/test_vid.mp4", 994)]
)
def test_f25_rows_of_real_videos_equal_their_frames(tmp_path, pose_model, shared_data, name, frames):
    assert pose(pose_model, [shared_data / name], tmp_path / "out", device="cpu") == 0
    rows = table(tmp_path / "out" / (shared_data / name).stem / "pose.csv")
    assert len(rows) == 4 * frames
    times = np.array([float(row["time_s"]) for row in rows[::4]])
    assert (np.diff(times) > 0).all()
