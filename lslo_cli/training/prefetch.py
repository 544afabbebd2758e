"""Items prefetched by one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")


def made_ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """The same items in the same order, up to ``depth`` of them computed in a thread while one is in use.

    An item's exception is raised when the item is taken. A caller that may stop early must close the
    generator, as ``contextlib.closing`` does: that ends the thread after its current item.
    """
    iterator, end = iter(items), object()
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="made-ahead")
    try:
        coming = deque(thread.submit(next, iterator, end) for _ in range(depth))
        while (item := coming.popleft().result()) is not end:
            coming.append(thread.submit(next, iterator, end))
            yield cast(Item, item)
    finally:
        thread.shutdown(cancel_futures=True)
