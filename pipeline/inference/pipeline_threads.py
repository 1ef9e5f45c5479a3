"""Reading, computing and writing of large items at the same time, in as little memory as that takes."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Content = TypeVar("Content")
Computed = TypeVar("Computed")
Result = TypeVar("Result")


def overlapped(
    items: Iterable[Item],
    read: Callable[[Item], Content],
    compute: Callable[[Content], Computed],
    write: Callable[[Computed], Result],
) -> Iterator[Result]:
    """Yield `write(compute(read(item)))` of each item, in order.

    `compute` runs in the caller's thread; meanwhile one thread reads the next item and another writes the
    one before, so that three items are in memory at most. An error of any of the three is raised here, once
    what is being read or written at that time has ended.

    `video_stages.staged` is for small items instead. It computes several at once and keeps one more waiting, a fourth
    in memory, which may be gigabytes here; and its threads end what they compute before an interruption is heard,
    which takes minutes for a large volume.
    """
    with ThreadPoolExecutor(1, "reader") as reader, ThreadPoolExecutor(1, "writer") as writer:
        remaining = iter(items)

        def read_next() -> list[Future[Content]]:
            return [reader.submit(read, item) for item in itertools.islice(remaining, 1)]

        coming = read_next()
        going: Future[Result] | None = None
        while coming:
            content = coming.pop().result()
            coming = read_next()
            computed = compute(content)
            del content  # its memory is not needed while the result is written
            if going is not None:
                yield going.result()
            going = writer.submit(write, computed)
            del computed
        if going is not None:
            yield going.result()
