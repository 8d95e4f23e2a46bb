"""Work done ahead on threads: while one batch is searched, the next ones are read and looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

READERS = 2
DEPTH = 2  # batches ahead
HEAVY = 16 << 20  # bytes of a picture in memory that is read before the next is fetched

Item = TypeVar("Item")
Read = TypeVar("Read")
Looked = TypeVar("Looked")


def ahead(
    items: Iterator[Item],
    batch_size: int,
    read: Callable[[Item], Read],
    look: Callable[[Sequence[Read]], Looked],
) -> Iterator[Looked]:
    """`look` of each batch of the items that were `read`, in their order.

    Items are read by several threads and looked at by one, at most DEPTH batches ahead of what is
    asked for; `items` itself is asked by the caller's thread alone.
    """
    readers, looker = ThreadPoolExecutor(READERS), ThreadPoolExecutor(1)

    def begun() -> Iterator[Future[Looked]]:
        while reading := [submitted(item) for item in islice(items, batch_size)]:
            yield looker.submit(_looked, reading, look)

    def submitted(item: Item) -> Future[Read]:
        future = readers.submit(read, item)
        if is_heavy(item):
            wait([future])
        return future

    batches: deque[Future[Looked]] = deque()
    starting = begun()
    try:
        batches.extend(islice(starting, 1 + DEPTH))
        while batches:
            yield batches.popleft().result()
            batches.extend(islice(starting, 1))
    finally:
        looker.shutdown(wait=False, cancel_futures=True)
        readers.shutdown(wait=True, cancel_futures=True)
        looker.shutdown(wait=True)


def is_heavy(item: object) -> bool:
    """Whether two such, of a hostile archive say, are too many to be in memory at once."""
    return isinstance(item, bytes) and len(item) > HEAVY


def _looked(reading: Sequence[Future[Read]], look: Callable[[Sequence[Read]], Looked]) -> Looked:
    return look([future.result() for future in reading])
