import csv

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from datamodules.keypoints import Skeleton
from pipeline.inference.pose_tables import COLUMNS, PoseTableWriter, read_chunks

SKELETON = Skeleton(("nose", "left_ear", "tail"))


def poses(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-5, 700, (count, 3, 2)), rng.uniform(0, 1, (count, 3))


def write(folder, points, confidence, statuses=None, skeleton=SKELETON):
    with PoseTableWriter(folder, "video", skeleton) as writer:
        for index in range(len(points)):
            status = statuses[index] if statuses else ["ok"] * 3
            writer.write(index, index / 30, points[index], confidence[index], status)
    return writer


def test_each_frame_and_joint_has_a_row_in_both_files(tmp_path):
    points, confidence = poses(5)
    writer = write(tmp_path, points, confidence)
    assert writer.frames == 5
    table = pd.read_parquet(writer.parquet)
    assert list(table.columns) == list(COLUMNS) == ["frame", "time_s", "joint", "x", "y", "confidence", "status"]
    assert table["frame"].tolist() == np.repeat(np.arange(5), 3).tolist()
    assert table["joint"].tolist() == list(SKELETON.names) * 5
    np.testing.assert_array_equal(table["time_s"], np.repeat(np.arange(5) / 30, 3))
    np.testing.assert_array_equal(table[["x", "y"]], points.reshape(-1, 2))
    np.testing.assert_array_equal(table["confidence"], confidence.ravel())
    text = pd.read_csv(writer.csv)
    assert list(text.columns) == list(COLUMNS)
    assert text["joint"].tolist() == table["joint"].tolist()
    np.testing.assert_allclose(text[["x", "y"]], table[["x", "y"]], rtol=0, atol=0.000501)
    np.testing.assert_allclose(text["time_s"], table["time_s"], rtol=0, atol=0.51e-6)
    np.testing.assert_allclose(text["confidence"], table["confidence"], rtol=0, atol=0.51e-5)


def test_f27_what_is_empty_is_empty_in_both_files_and_never_zero(tmp_path):
    points, confidence = poses(3)
    points[1], confidence[1] = np.nan, np.nan
    points[2, 0, 1] = np.inf
    writer = write(tmp_path, points, confidence, [["ok"] * 3, ["unreadable"] * 3, ["gap", "ok", "ok"]])
    table = parquet.read_table(writer.parquet).to_pylist()
    assert [(row["x"], row["y"], row["confidence"], row["status"]) for row in table[3:6]] == [
        (None, None, None, "unreadable")
    ] * 3
    assert (table[6]["x"], table[6]["y"], table[6]["status"]) == (None, None, "gap")
    assert table[6]["confidence"] == confidence[2, 0]
    lines = writer.csv.read_text().splitlines()
    assert lines[4] == "1,0.033333,nose,,,,unreadable"
    assert lines[7].startswith("2,0.066667,nose,,,0.")
    assert None not in (table[7]["x"], table[7]["y"])


def test_a_frame_without_a_time_has_an_empty_one(tmp_path):
    with PoseTableWriter(tmp_path, "video", SKELETON) as writer:
        writer.write(0, np.nan, np.zeros((3, 2)), np.zeros(3), ["low"] * 3)
    assert parquet.read_table(writer.parquet)["time_s"].to_pylist() == [None] * 3
    assert writer.csv.read_text().splitlines()[1] == "0,,nose,0,0,0,low"


def test_memory_is_bounded_by_row_groups_and_no_row_is_lost_between_them(tmp_path):
    points, confidence = poses(2500)
    writer = write(tmp_path, points, confidence)
    assert parquet.ParquetFile(writer.parquet).num_row_groups == 3
    chunks = list(read_chunks(writer.parquet, SKELETON))
    assert [len(chunk.frames) for chunk in chunks] == [1024, 1024, 452]
    np.testing.assert_array_equal(np.concatenate([chunk.frames for chunk in chunks]), np.arange(2500))
    np.testing.assert_array_equal(np.concatenate([chunk.points for chunk in chunks]), points)
    np.testing.assert_array_equal(np.concatenate([chunk.confidence for chunk in chunks]), confidence)
    assert len(pd.read_csv(writer.csv)) == 7500


def test_chunks_keep_what_is_empty(tmp_path):
    points, confidence = poses(2)
    points[0, 1], confidence[0, 1] = np.nan, np.nan
    writer = write(tmp_path, points, confidence, [["ok"] * 3, ["ok", "filled", "ok"]])
    (chunk,) = read_chunks(writer.parquet, SKELETON)
    np.testing.assert_array_equal(chunk.points, points)
    np.testing.assert_array_equal(chunk.confidence, confidence)
    np.testing.assert_array_equal(chunk.time_s, [0, 1 / 30])
    assert chunk.status.tolist() == [["ok"] * 3, ["ok", "filled", "ok"]]
    with pytest.raises(ValueError, match="expected a table of the joints a, b, found others"):
        next(read_chunks(writer.parquet, Skeleton(("a", "b"))))


def test_a_joint_with_a_comma_stays_one_column(tmp_path):
    skeleton = Skeleton(('hand, "left"', "hé", "c"))
    writer = write(tmp_path, *poses(2), skeleton=skeleton)
    with writer.csv.open(encoding="utf-8", newline="") as file:
        assert [row["joint"] for row in csv.DictReader(file)] == list(skeleton.names) * 2


def test_a_video_without_frames_has_an_empty_table(tmp_path):
    writer = write(tmp_path, *poses(0))
    assert writer.csv.read_text() == ",".join(COLUMNS) + "\n"
    assert len(pd.read_parquet(writer.parquet)) == 0


def test_f18_an_error_leaves_what_was_there(tmp_path):
    write(tmp_path, *poses(2))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail():
        with PoseTableWriter(tmp_path, "video", SKELETON) as writer:
            for index in range(2000):
                writer.write(index, 0.0, np.zeros((3, 2)), np.zeros(3), ["ok"] * 3)
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fail()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert set(before) == {"video.parquet", "video.csv"}


@pytest.mark.parametrize(
    ("points", "confidence", "status"),
    [
        (np.zeros((2, 2)), np.zeros(3), ["ok"] * 3),
        (np.zeros((3, 2)), np.zeros(2), ["ok"] * 3),
        (np.zeros((3, 2)), np.zeros(3), ["ok"]),
    ],
)
def test_shapes_of_another_skeleton_are_refused(tmp_path, points, confidence, status):
    with PoseTableWriter(tmp_path, "video", SKELETON) as writer, pytest.raises(ValueError, match="expected 3 joints"):
        writer.write(0, 0.0, points, confidence, status)
