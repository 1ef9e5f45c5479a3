"""Gaps are filled on a line in time, medians take out spikes, and the One Euro filter calms without lagging."""

import numpy as np
import pytest

from pipeline.inference.smoothing import OneEuro, fill_gaps, median


def track(values):
    return np.stack([np.asarray(values, float), np.zeros(len(values))], axis=-1)[:, None]


def usable(text):
    return np.array([[letter == "+"] for letter in text])


def test_a_short_gap_lies_on_a_line_in_time_and_a_longer_one_is_left():
    points = track([0, 99, 99, 8, 99, 99, 99, 20])
    times = np.array([0.0, 0.3, 0.4, 0.8, 0.9, 1.0, 1.1, 1.2])
    filled = fill_gaps(points, usable("+--+---+"), times, 2)
    assert filled[:, 0].tolist() == [False, True, True, False, False, False, False, False]
    np.testing.assert_allclose(points[:, 0, 0], [0, 3, 4, 8, 99, 99, 99, 20])


def test_without_times_frames_are_equally_far_apart():
    points = track([0, 99, 99, 6])
    fill_gaps(points, usable("+--+"), np.full(4, np.nan), 2)
    np.testing.assert_allclose(points[:, 0, 0], [0, 2, 4, 6])


def test_a_gap_at_either_end_is_not_filled():
    assert not fill_gaps(track([9, 1, 2, 9]), usable("-++-"), np.arange(4.0), 5).any()


def test_a_median_takes_out_a_spike_and_keeps_a_line():
    points = track([0, 1, 2, 50, 4, 5, 6])
    smooth = median(points, usable("+++++++"))[:, 0, 0]
    np.testing.assert_allclose(smooth[1:6], [1.5, 2, 4, 5, 5.5])


def test_a_median_neither_uses_nor_changes_what_is_not_usable():
    points = track([0, 0, 70, 0, 0])
    smooth = median(points, usable("++-++"))[:, 0, 0]
    np.testing.assert_allclose(smooth, [0, 0, 70, 0, 0])


def euro(points, use=None, times=None, parts=1):
    rows = len(points)
    use = np.ones((rows, 1), bool) if use is None else use
    times = np.arange(rows) / 50 if times is None else times
    filtering, length = OneEuro(1), np.full(rows, 500)
    pieces = np.array_split(np.arange(rows), parts)
    return np.concatenate([filtering(points[i], use[i], times[i], length[i]) for i in pieces])[:, 0, 0]


def test_one_euro_calms_a_joint_at_rest():
    noise = np.random.default_rng(0).normal(100, 2, 400)
    smooth = euro(track(noise))
    assert smooth[50:].std() < 0.5 * noise.std()
    assert smooth.mean() == pytest.approx(100, abs=0.5)


def test_one_euro_follows_a_fast_joint():
    line = 8.0 * np.arange(100)  # 400 pixels per s
    assert np.abs(euro(track(line)) - line)[50:].max() < 8  # less than a frame behind


def test_one_euro_goes_on_from_call_to_call():
    noise = track(np.random.default_rng(1).normal(0, 5, 40))
    np.testing.assert_array_equal(euro(noise), euro(noise, parts=7))


def test_one_euro_leaves_what_is_not_usable_and_forgets_over_a_long_gap():
    points, times = track([0, 0, 55, 100]), np.array([0.0, 0.02, 0.04, 60.0])
    smooth = euro(points, usable("++-+"), times)
    assert smooth[2] == 55
    assert smooth[3] == pytest.approx(100, abs=1)


def test_one_euro_takes_frames_without_a_time():
    assert np.isfinite(euro(track(np.arange(9.0)), times=np.full(9, np.nan))).all()


def test_one_euro_counts_the_frames_of_a_gap_where_times_are_missing():
    points, use = track([0.0] * 10 + [9.0] * 90 + [50.0]), np.ones((101, 1), bool)
    use[10:100] = False
    without = euro(points, use, np.full(101, np.nan))
    np.testing.assert_allclose(without, euro(points, use, np.arange(101) / 30))
    np.testing.assert_array_equal(without, euro(points, use, np.full(101, np.nan), parts=7))
    assert without[-1] > euro(np.delete(points, slice(11, 100), axis=0), times=np.full(12, np.nan))[-1] + 1
