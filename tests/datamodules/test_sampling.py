from itertools import chain

import pytest

from datamodules import sampling
from datamodules.sampling import CaseSampler, EpochSampler


def numbers(monkeypatch, sampler, rank, size):
    monkeypatch.setattr(sampling, "_rank_and_size", lambda: (rank, size))
    return list(sampler)


def test_every_sample_of_every_epoch_has_a_number_of_its_own():
    sampler = EpochSampler(8, batch_size=2)
    seen = list(sampler)
    sampler.set_epoch(1)
    seen += list(sampler)
    assert seen == list(range(16))


def test_ranks_share_an_epoch_in_whole_batches(monkeypatch):
    sampler = EpochSampler(12, batch_size=2)
    parts = [numbers(monkeypatch, sampler, rank, 3) for rank in range(3)]
    assert parts[0] == [0, 1, 6, 7]
    assert sorted(chain(*parts)) == list(range(12))


def test_ranks_take_equally_many_batches_when_they_do_not_divide(monkeypatch):
    sampler = EpochSampler(10, batch_size=2)
    parts = [numbers(monkeypatch, sampler, rank, 2) for rank in range(2)]
    assert [len(part) for part in parts] == [4, 4]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_ranks_see_every_case_and_equally_many(monkeypatch, size):
    sampler = CaseSampler(range(5))
    parts = [numbers(monkeypatch, sampler, rank, size) for rank in range(size)]
    assert {len(part) for part in parts} == {-(-5 // size)}
    assert set(chain(*parts)) == set(range(5))
