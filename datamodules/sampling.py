"""Samplers whose order is a function of the seed, the epoch and the index."""

from collections.abc import Iterator, Sized

import torch.distributed as dist
from torch.utils.data import Sampler


def _rank_and_size() -> tuple[int, int]:
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class EpochSampler(Sampler[int]):
    """Number the samples of all epochs through, so that a sample knows its epoch.

    Sample `i` of epoch `e` has the number `e * length + i`: a data set can derive its random state from that
    number alone, in whichever worker it is made. With several ranks each takes whole batches in turn, so that
    together they go through the same samples in the same order as one.
    """

    def __init__(self, length: int, batch_size: int) -> None:
        self.length = length
        self.batch_size = batch_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the epoch from Lightning, which calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length // _rank_and_size()[1]

    def __iter__(self) -> Iterator[int]:
        rank, size = _rank_and_size()
        first = self.epoch * self.length
        batches = self.length // (self.batch_size * size) * size
        for batch in range(rank, batches, size):
            start = first + batch * self.batch_size
            yield from range(start, start + self.batch_size)


class CaseSampler(Sampler[int]):
    """Share whole cases among ranks; the last ones repeat so that all ranks take equally many.

    Scores are collected by case id, so a repeated case counts once.
    """

    def __init__(self, cases: Sized) -> None:
        self.cases = cases

    def __len__(self) -> int:
        return -(-len(self.cases) // _rank_and_size()[1])

    def __iter__(self) -> Iterator[int]:
        rank, size = _rank_and_size()
        for turn in range(len(self)):
            yield (turn * size + rank) % len(self.cases)
