"""The files of a video agree with one another."""

import json
import threading
from collections import Counter

import numpy as np
import pytest

from datamodules.formats.frames import open_frames
from datamodules.keypoints import Skeleton
from pipeline.inference.pose_finishing import Smoothing
from pipeline.inference.pose_outputs import PoseOutputs, status_words, write_overlay, write_tables
from pipeline.inference.pose_overlay_video import OverlayWriter
from pipeline.inference.pose_rows import FRAME_STATUS, RowStore, empty_rows
from pipeline.inference.pose_tables import read_chunks

SKELETON = Skeleton(("a", "b"), edges=((0, 1),))


@pytest.fixture
def store(tmp_path):
    store = RowStore(tmp_path / "parts", "origin", 2)
    rows = empty_rows(12, 2)
    rows["index"], rows["time_s"], rows["size"] = np.arange(12), np.arange(12) / 25, (60, 44)
    rows["points"] = np.array([[10, 12], [40, 30]]) + np.arange(12)[:, None, None] / 2
    rows["confidence"] = 0.9
    rows["status"][4] = FRAME_STATUS.index("unreadable")
    rows["points"][4], rows["confidence"][4] = np.nan, np.nan
    store.append(rows)
    return store


def test_the_names_are_those_of_what_is_wanted():
    assert len(PoseOutputs("x").all) == 5
    assert PoseOutputs("x", overlay=True, heatmaps=True).all[5:] == ("x/pose_overlay.mp4", "x/pose_heatmaps.h5")


def test_all_tables_are_written_and_counted(tmp_path, store):
    counts = write_tables(tmp_path, store, Smoothing(), SKELETON)
    assert counts == {"ok": 22, "unreadable": 2}
    assert all((tmp_path / name.removeprefix("x/")).is_file() for name in PoseOutputs("x").all)
    points = np.concatenate([chunk.points for chunk in read_chunks(tmp_path / "pose.parquet", SKELETON)])
    np.testing.assert_array_equal(points, store.read(0, 12)["points"].astype(np.float64))
    assert len((tmp_path / "pose.csv").read_text().splitlines()) == 1 + 12 * 2
    assert len(json.loads((tmp_path / "pose_coco.json").read_text())) == 11  # without the unreadable frame


def test_the_overlay_shows_the_joints_of_the_table(tmp_path, store, write_video):
    video = write_video(tmp_path / "video.mp4", frames=12)
    write_tables(tmp_path, store, Smoothing(), SKELETON)
    seen = []
    write_overlay(tmp_path / "pose_overlay.mp4", video, tmp_path / "pose.parquet", SKELETON, seen.append)
    assert sum(seen) == 12
    with open_frames(video) as before, open_frames(tmp_path / "pose_overlay.mp4") as after:
        for old, new, row in zip(before, after, store.read(0, 12), strict=True):
            changed = np.abs(new.image.astype(int) - old.image).max(axis=2)
            assert new.time_s == pytest.approx(old.time_s, abs=1e-3)
            if np.isfinite(row["points"]).all():
                x, y = row["points"][1].round().astype(int)
                assert changed[y, x] > 60
                assert np.median(changed) < 30


def test_decoding_drawing_and_encoding_an_overlay_have_a_thread_each(tmp_path, store, write_video, monkeypatch):
    video = write_video(tmp_path / "video.mp4", frames=12)
    write_tables(tmp_path, store, Smoothing(), SKELETON)
    threads = {}
    for name in ("draw", "write"):
        plain = getattr(OverlayWriter, name)

        def noting(self, *args, plain=plain, name=name):
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return plain(self, *args)

        monkeypatch.setattr(OverlayWriter, name, noting)
    write_overlay(tmp_path / "o.mp4", video, tmp_path / "pose.parquet", SKELETON, lambda _: None)
    assert threads == {"draw": {"network_0"}, "write": {"writer_0"}}


def test_a_table_of_another_video_is_no_base_for_an_overlay(tmp_path, store, write_video):
    video = write_video(tmp_path / "video.mp4", frames=13)
    write_tables(tmp_path, store, Smoothing(), SKELETON)
    with pytest.raises(ValueError, match="shorter"):
        write_overlay(tmp_path / "o.mp4", video, tmp_path / "pose.parquet", SKELETON, lambda _: None)
    assert not (tmp_path / "o.mp4").exists()


def test_words_say_how_many_joints_have_which_status():
    assert status_words(Counter(ok=3, low=1), 2) == "2 frames, of their joints 75.0% ok, 25.0% low"
