"""The source states of whole splits, kept for other runs on the same model."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from lslo_cli.flare.source import SourceStates

CACHED_BYTES = 2**32
"""The most bytes of source states that are kept."""


class SourceCache:
    """Source states by what they were computed from; together they have at most ``limit`` bytes.

    Those that were longest unused make room for others; a run that still reads them holds them itself.
    """

    def __init__(self, limit: int | None = None):
        """The default limit is ``CACHED_BYTES``."""
        self.limit = CACHED_BYTES if limit is None else limit
        self._kept: dict[Hashable, tuple[int, SourceStates]] = {}  # the longest unused first

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()

    def states(self, key: Hashable, size: int, compute: Callable[[], SourceStates]) -> SourceStates:
        """The states under ``key``, of ``size`` bytes, computed if they are not kept."""
        found = self._kept.pop(key, None)
        if found is None:
            while self._kept and sum(each for each, _ in self._kept.values()) + size > self.limit:
                del self._kept[next(iter(self._kept))]
            found = size, compute()
        self._kept[key] = found
        return found[1]
