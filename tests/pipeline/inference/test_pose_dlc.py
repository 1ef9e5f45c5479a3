import numpy as np
import pandas as pd
import pytest

from datamodules.keypoints import Skeleton
from pipeline.inference.pose_dlc import write_deeplabcut
from pipeline.inference.pose_tables import PoseTableWriter

SKELETON = Skeleton(("nose", "left_ear"))


def table(folder, count):
    rng = np.random.default_rng(0)
    points, confidence = rng.uniform(0, 700, (count, 2, 2)), rng.uniform(0, 1, (count, 2))
    points[1::7], confidence[1::7] = np.nan, np.nan
    with PoseTableWriter(folder, "video", SKELETON) as writer:
        for index in range(count):
            writer.write(index, index / 30, points[index], confidence[index], "ok")
    return writer.parquet, np.concatenate([points, confidence[..., None]], axis=-1).reshape(count, 6)


def test_both_files_hold_the_table(tmp_path):
    source, numbers = table(tmp_path, 1500)  # more than one chunk
    h5, csv = write_deeplabcut(source, tmp_path, "video", SKELETON, "hourglass")
    assert (h5.name, csv.name) == ("video_deeplabcut.h5", "video_deeplabcut.csv")
    stored = pd.read_hdf(h5, "df_with_missing")
    columns = [("hourglass", joint, coord) for joint in SKELETON.names for coord in ("x", "y", "likelihood")]
    assert list(stored.columns) == columns
    assert stored.columns.names == ["scorer", "bodyparts", "coords"]
    assert stored.index.tolist() == list(range(1500))
    np.testing.assert_array_equal(stored.to_numpy(), numbers)
    text = pd.read_csv(csv, header=[0, 1, 2], index_col=0)
    assert list(text.columns) == columns
    assert text.index.tolist() == list(range(1500))
    np.testing.assert_allclose(text.to_numpy(), numbers, atol=0.51e-5)


def test_the_csv_has_three_header_rows_and_empty_fields(tmp_path):
    source, _ = table(tmp_path, 2)
    _, csv = write_deeplabcut(source, tmp_path, "video", SKELETON, "hourglass")
    lines = csv.read_text().splitlines()
    assert lines[0] == "scorer" + ",hourglass" * 6
    assert lines[1] == "bodyparts" + ",nose" * 3 + ",left_ear" * 3
    assert lines[2] == "coords" + ",x,y,likelihood" * 2
    assert lines[4] == "1,,,,,,"
    assert len(lines) == 5


def test_a_table_without_frames_leaves_no_file(tmp_path):
    source, _ = table(tmp_path, 0)
    with pytest.raises(ValueError, match="expected at least one frame"):
        write_deeplabcut(source, tmp_path, "video", SKELETON, "hourglass")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["video.csv", "video.parquet"]
