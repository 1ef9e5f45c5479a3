"""Status of each joint, and smoothing in chunks whose borders do not show."""

import numpy as np
import pytest

from pipeline.inference import pose_finishing
from pipeline.inference.pose_finishing import Smoothing, finished_chunks, joint_status
from pipeline.inference.pose_rows import FRAME_STATUS, empty_rows

UNREADABLE = FRAME_STATUS.index("unreadable")


class InMemory:
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def read(self, start, stop):
        return self.rows[max(start, 0) : stop]


def some_rows(count=60, seed=0):
    draw = np.random.default_rng(seed)
    rows = empty_rows(count, 2)
    rows["index"], rows["time_s"] = np.arange(count), np.arange(count) / 30
    rows["size"], rows["box"] = (100, 80), (0, 0, 100, 80)
    rows["points"] = draw.uniform(0, 79, (count, 2, 2)).cumsum(axis=0) / np.arange(1, count + 1)[:, None, None]
    rows["confidence"] = draw.uniform(0, 1, (count, 2))
    lost = draw.random(count) < 0.1
    rows["status"][lost] = UNREADABLE
    for name in ("points", "confidence", "box"):
        rows[name][lost] = np.nan
    return rows


def together(rows, smoothing):
    chunks = list(finished_chunks(InMemory(rows), smoothing))
    points, status = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("points", "status"))
    assert np.concatenate([chunk.frames for chunk in chunks]).tolist() == list(range(len(rows)))
    return points, status


def test_the_status_says_what_is_wrong_with_a_joint():
    rows = empty_rows(3, 2)
    rows["size"] = (100, 80)
    rows["points"][0], rows["confidence"][0] = [[10, 20], [99.6, 20]], [0.9, 0.9]
    rows["points"][1], rows["confidence"][1] = [[10, 20], [-3, 20]], [0.3, 0.29]
    rows["status"][2] = UNREADABLE
    assert joint_status(rows, 0.3).tolist() == [["ok", "outside"], ["ok", "low"], ["unreadable", "unreadable"]]
    rows["points"][0], rows["confidence"][0] = np.nan, np.nan
    assert joint_status(rows, 0.3)[0].tolist() == ["no region"] * 2


def test_without_smoothing_the_rows_stay_as_they_are():
    rows = some_rows()
    points, status = together(rows, Smoothing())
    np.testing.assert_array_equal(points, rows["points"].astype(np.float64))
    assert set(np.unique(status.astype(str))) == {"ok", "low", "unreadable"}


@pytest.mark.parametrize("method", ["none", "median", "one-euro"])
@pytest.mark.parametrize("chunk", [1, 4, 17])
def test_no_border_of_a_chunk_shows(monkeypatch, method, chunk):
    smoothing = Smoothing(method, fill_gap=4, min_confidence=0.6)
    whole = together(some_rows(), smoothing)
    monkeypatch.setattr(pose_finishing, "_CHUNK", chunk)
    parts = together(some_rows(), smoothing)
    np.testing.assert_array_equal(parts[0], whole[0])
    np.testing.assert_array_equal(parts[1], whole[1])


def test_f27_rows_of_unreadable_frames_stay_empty_within_a_filled_gap():
    rows = some_rows(5)
    rows["status"], rows["confidence"], rows["points"] = 0, 1.0, 7.0
    rows["confidence"][1:4] = 0.0
    rows["status"][2], rows["points"][2] = UNREADABLE, np.nan
    points, status = together(rows, Smoothing(fill_gap=3))
    assert status[:, 0].tolist() == ["ok", "filled", "unreadable", "filled", "ok"]
    assert np.isnan(points[2]).all()
    assert (points[[0, 1, 3, 4]] == 7).all()
    assert together(rows, Smoothing(fill_gap=2))[1][:, 0].tolist() == ["ok", "low", "unreadable", "low", "ok"]


@pytest.mark.parametrize(
    ("wrong", "word"), [({"method": "mean"}, "smooth"), ({"fill_gap": -1}, "fill"), ({"min_confidence": 1.5}, "min")]
)
def test_choices_that_cannot_be_are_refused(wrong, word):
    with pytest.raises(ValueError, match=f"{word}.*expected"):
        Smoothing(**wrong)


@pytest.mark.parametrize("spoilt", [[0, 1, 3, 3], [1, 2, 3, 4], [0, 1, 1, 2]])
def test_rows_that_are_not_those_of_all_frames_are_refused(spoilt):
    rows = some_rows(4)
    rows["index"] = spoilt
    with pytest.raises(RuntimeError, match="expected the rows of frames 0 to 3"):
        list(finished_chunks(InMemory(rows), Smoothing()))
