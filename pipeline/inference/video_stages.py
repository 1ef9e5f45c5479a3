"""Reading, several networks at once and writing, in order and in bounded memory."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Content = TypeVar("Content")
Computed = TypeVar("Computed")
Result = TypeVar("Result")

_MOST_WORKERS = 4  # each holds the activations of a batch


def workers_for(device: torch.device) -> int:
    """Return how many batches to compute at once.

    The small convolutions of an hourglass share out badly: two threads on a batch each are a quarter faster than
    both on one, and a thread that waits for its core to decode a frame keeps no other waiting.
    """
    return min(_MOST_WORKERS, torch.get_num_threads()) if device.type == "cpu" else 1


def held(workers: int) -> int:
    """Return how many items `staged` keeps at most between the start of `read` and the end of `compute`."""
    return workers + 2


def staged(
    items: Iterable[Item],
    read: Callable[[Item], Content],
    compute: Callable[[Content], Computed],
    write: Callable[[Computed], Result],
    workers: int,
) -> Generator[Result, None, None]:
    """Yield `write(compute(read(item)))` of each item, in order.

    One thread reads, `workers` threads compute, which share the cores that torch has, and one thread writes. No more
    than `held(workers)` items are being read, waiting or computed, and one more is being written. `items` is asked
    for the next one when the last has been read. An error of any stage is raised here, once what is running at that
    time has ended; nothing else is begun.

    `pipeline_threads.overlapped` is for items that fill the memory: it keeps three in all, and computes in the
    caller's thread, which an interruption stops at once.
    """
    threads = torch.get_num_threads()
    share = max(1, threads // workers)
    reader = ThreadPoolExecutor(1, "reader")
    network = ThreadPoolExecutor(workers, "network", initializer=lambda: torch.set_num_threads(share))
    writer = ThreadPoolExecutor(1, "writer")
    try:
        yield from _in_order(
            iter(items), lambda item: reader.submit(read, item), network, compute, writer, write, workers
        )
    finally:
        for pool in (reader, network, writer):
            pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # threads that are made later would get the share


def _in_order(
    items: Iterator[Item],
    submit: Callable[[Item], Future[Content]],
    network: ThreadPoolExecutor,
    compute: Callable[[Content], Computed],
    writer: ThreadPoolExecutor,
    write: Callable[[Computed], Result],
    workers: int,
) -> Generator[Result, None, None]:
    computing: deque[Future[Computed]] = deque()
    writing: deque[Future[Result]] = deque()
    coming = [submit(item) for item in itertools.islice(items, 1)]
    while coming or computing:
        if coming:
            content = coming.pop().result()
            coming = [submit(item) for item in itertools.islice(items, 1)]
            computing.append(network.submit(compute, content))
            del content
        # One batch waits behind those in work, so that no thread is idle while the next is handed on.
        if len(computing) > workers or not coming:
            computed = computing.popleft().result()
            if writing:
                yield writing.popleft().result()
            writing.append(writer.submit(write, computed))
            del computed
    if writing:
        yield writing.popleft().result()
