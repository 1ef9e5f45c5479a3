import numpy as np
import pandas as pd
import pytest

from datamodules.formats.frames import Frame, VideoInfo
from datamodules.formats.video import open_video
from datamodules.keypoints import Skeleton
from pipeline.inference.pose_overlay_video import OverlayWriter
from pipeline.inference.pose_tables import PoseTableWriter

SKELETON = Skeleton(("nose",))
INFO = VideoInfo(161, 121, 0, "h264", 25.0, None, has_sound=False)


def grey(width=161, height=121):
    return np.full((height, width, 3), 30, np.uint8)


def append(overlay, frame, points, confidence):
    overlay.write(overlay.draw(frame, points, confidence), frame.time_s)


def centre(image):
    weight = np.abs(image.astype(float) - 30).sum(axis=-1)
    weight[weight < 60] = 0  # the codec's noise
    y, x = np.indices(weight.shape)
    return (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()


def test_the_overlay_agrees_with_the_table(tmp_path):
    times = [0.0, 0.04, 0.3, 0.34, 1.0]
    points = np.random.default_rng(0).uniform(15, 100, (5, 1, 2))
    with (
        PoseTableWriter(tmp_path, "a", SKELETON) as table,
        OverlayWriter(tmp_path / "a.mp4", INFO, SKELETON, trail=0) as overlay,
    ):
        for index, time_s in enumerate(times):
            table.write(index, time_s, points[index], np.ones(1), ["ok"])
            append(overlay, Frame(index, time_s, grey(), "ok"), points[index], np.ones(1))
    rows = pd.read_parquet(table.parquet)
    with open_video(tmp_path / "a.mp4") as video:
        frames = list(video)
    assert len(frames) == len(rows)
    np.testing.assert_allclose([frame.time_s for frame in frames], rows["time_s"], atol=1e-4)
    found = [centre(frame.image[:121, :161]) for frame in frames]
    np.testing.assert_allclose(found, rows[["x", "y"]], atol=0.5)


def test_f27_an_unreadable_frame_keeps_its_place(tmp_path):
    empty = np.full((1, 2), np.nan), np.full(1, np.nan)
    with OverlayWriter(tmp_path / "a.mp4", INFO, SKELETON) as overlay:
        append(overlay, Frame(0, 0.0, grey(), "ok"), np.full((1, 2), 50.0), np.ones(1))
        append(overlay, Frame(1, 0.04, None, "unreadable"), *empty)
        append(overlay, Frame(2, 0.08, grey(), "ok"), np.full((1, 2), 90.0), np.ones(1))
    with open_video(tmp_path / "a.mp4") as video:
        first, bad, last = (frame.image.astype(int) for frame in video)
    assert bad.max() > 120  # its words
    assert abs(first[70, 70] - 30).max() < 12
    assert abs(last[70, 70] - 30).max() < 12  # no trail leads over a frame that is not there


def test_the_trail_has_the_length_that_is_asked_for(tmp_path):
    with OverlayWriter(tmp_path / "a.mp4", INFO, SKELETON, trail=2) as overlay:
        for index in range(6):
            append(overlay, Frame(index, index / 25, grey(), "ok"), np.array([[20.0 + 20 * index, 60]]), np.ones(1))
    with open_video(tmp_path / "a.mp4") as video:
        last = list(video)[-1].image.astype(int)
    strength = abs(last[60] - 30).sum(axis=-1)
    assert strength[110] > 40
    assert strength[90] > 20
    assert strength[70] < 20
    with pytest.raises(ValueError, match="trail: expected 0 or more"):
        OverlayWriter(tmp_path / "b.mp4", INFO, SKELETON, trail=-1)


@pytest.mark.parametrize("size", [(200, 90), (100, 140), (161, 121)])
def test_f28_a_frame_of_another_size_is_fitted_without_moving(tmp_path, size):
    with OverlayWriter(tmp_path / "a.mp4", INFO, SKELETON) as overlay:
        append(overlay, Frame(0, 0.0, grey(*size), "resized"), np.array([[60.0, 40.0]]), np.ones(1))
    with open_video(tmp_path / "a.mp4") as video:
        (frame,) = video
    assert frame.image.shape == (122, 162, 3)
    np.testing.assert_allclose(centre(frame.image[:80, :90]), (60, 40), atol=0.5)
