"""Items made ahead of their use, by one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")


def made_ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """The same items in the same order, up to ``depth`` of them made in a thread while one is in use.

    What making an item raises is raised where the item would be taken. Whoever may stop early closes the
    generator, as ``contextlib.closing`` does: that ends the thread once it has made what it is making.
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
