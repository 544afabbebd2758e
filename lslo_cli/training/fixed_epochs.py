"""Epochs of a fixed number of batches, for a corpus of any size."""

from __future__ import annotations

from collections.abc import Iterator

from lslo_cli.training.batches import Batch, EpochBatches


class FixedEpochs:
    """Consecutive parts of the endless sequence of a corpus's own epochs."""

    def __init__(self, source: EpochBatches, size: int):
        """``size`` is the number of batches of every epoch."""
        self._source = source
        self._size = size
        self._ends: list[int] = []

    def batches(self, epoch: int) -> list[None]:
        """A list of the right length only; the tensors come from :meth:`updates`."""
        return [None] * self._size

    def updates(self, epoch: int, accumulate: int) -> Iterator[list[Batch]]:
        start, stop = (epoch - 1) * self._size, epoch * self._size
        for first in range(start, stop, accumulate):
            yield [self._batch(position) for position in range(first, min(first + accumulate, stop))]

    def _batch(self, position: int) -> Batch:
        """The batch at a position in the endless sequence."""
        while not self._ends or position >= self._ends[-1]:
            self._current = self._source.batches(len(self._ends) + 1)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(self._current))
        begin = self._ends[-2] if len(self._ends) > 1 else 0
        return self._current[position - begin]
