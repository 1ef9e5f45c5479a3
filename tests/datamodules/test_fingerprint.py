from dataclasses import replace

import numpy as np
import pytest

from datamodules.fingerprint import data_digest, foreground_statistics
from datamodules.formats.errors import DataError
from datamodules.integrity.inspection import inspect_cases
from datamodules.layouts import find_cases


@pytest.fixture
def cases(make_facts):
    rng = np.random.default_rng(0)
    return [make_facts(name, samples=rng.normal(size=(2, 500)).astype(np.float32)) for name in "abc"]


def test_statistics_are_those_of_the_foreground(cases):
    statistics = foreground_statistics(cases)
    pooled = np.concatenate([facts.samples[1] for facts in cases]).astype(float)
    assert len(statistics) == 2
    assert statistics[1].mean == pytest.approx(pooled.mean())
    assert statistics[1].std == pytest.approx(pooled.std())
    assert statistics[1].lower == pytest.approx(np.percentile(pooled, 0.5))
    assert statistics[1].upper == pytest.approx(np.percentile(pooled, 99.5))


def test_f16_statistics_pass_over_empty_masks(cases, make_facts):
    empty = make_facts("empty", samples=np.zeros((2, 0), np.float32))
    assert foreground_statistics([empty, *cases]) == foreground_statistics(cases)


def test_f16_statistics_of_nothing_are_refused(make_facts):
    with pytest.raises(DataError, match="empty masks in all 2"):
        foreground_statistics([make_facts("a"), make_facts("b")])


def test_the_digest_depends_on_the_content_and_not_on_the_order(cases):
    assert data_digest(cases) == data_digest(reversed(cases))
    assert data_digest(cases) != data_digest([*cases[:2], replace(cases[2], content="other")])


@pytest.mark.shared_data
def test_real_ct(shared_data, tmp_path):
    listing = find_cases(shared_data / "head_neck_ct")
    listing = replace(listing, cases=listing.cases[:3])
    (statistics,) = foreground_statistics(list(inspect_cases(listing, tmp_path, 0).facts.values()))
    assert -300 < statistics.lower < 0 < statistics.mean < 500 < statistics.upper < 3000
