import numpy as np
import pytest
from scipy import stats

from pipeline.metrics.bootstrap import draw_resamples, mean_interval


def test_resamples_keep_the_number_of_cases_and_follow_the_seed():
    counts = draw_resamples(7, resamples=100, seed=3)
    assert counts.shape == (100, 7)
    assert (counts.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(counts, draw_resamples(7, resamples=100, seed=3))
    assert (counts != draw_resamples(7, resamples=100, seed=4)).any()


def test_interval_agrees_with_scipy():
    scores = np.random.default_rng(0).beta(8, 2, 40)
    found = mean_interval(scores, draw_resamples(40, resamples=20000))
    expected = stats.bootstrap((scores,), np.mean, method="percentile", n_resamples=20000).confidence_interval
    assert found is not None
    assert found.mean == pytest.approx(scores.mean())
    assert found.lower == pytest.approx(expected.low, abs=0.003)
    assert found.upper == pytest.approx(expected.high, abs=0.003)
    assert found.count == 40
    assert found.to_dict() == {"mean": found.mean, "lower": found.lower, "upper": found.upper, "count": 40}


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    resamples = draw_resamples(30, resamples=400)
    intervals = [mean_interval(rng.normal(0.8, 0.1, 30), resamples) for _ in range(300)]
    covered = np.mean([found.lower <= 0.8 <= found.upper for found in intervals])
    assert 0.88 < covered < 0.99


def test_columns_are_averaged_on_their_own_and_gaps_are_left_out():
    scores = np.array([[1.0, 0.0], [1.0, np.nan], [1.0, np.nan], [1.0, np.nan]])
    found = mean_interval(scores, draw_resamples(4, resamples=500))
    assert found is not None
    assert found.mean == pytest.approx(0.5)
    assert found.count == 5
    # Samples without the one case of the second column rest on the first.
    assert found.lower == pytest.approx(0.5)
    assert found.upper == pytest.approx(1)


def test_no_score_at_all_is_none_and_one_case_is_its_own_interval():
    assert mean_interval(np.full((3, 2), np.nan), draw_resamples(3)) is None
    found = mean_interval(np.array([0.7]), draw_resamples(1))
    assert found is not None
    assert (found.mean, found.lower, found.upper) == pytest.approx((0.7, 0.7, 0.7))
