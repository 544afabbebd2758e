"""The loss of an epoch so far, without synchronising with the device after every update."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class LossTally:
    """Sums the losses of updates, read from the device in intervals.

    ``losses`` are those read so far, one for each update; ``total`` is their sum, over ``tokens`` tokens.
    """

    def __init__(self, interval: int):
        """``interval`` is the number of updates between readings."""
        self.losses: list[float] = []
        self.total = 0.0
        self.tokens = 0
        self._interval = interval
        self._unread: list[tuple[Tensor, int]] = []
        self._told = 0.0, 0

    def add(self, loss: Tensor, tokens: int) -> None:
        """Add the loss of an update, a scalar summed over ``tokens`` tokens."""
        self._unread.append((loss, tokens))
        if len(self._unread) == self._interval:
            self.read()

    def read(self) -> None:
        """Read the losses not read yet."""
        if not self._unread:
            return
        losses, tokens = zip(*self._unread, strict=True)
        self._unread.clear()
        for loss in torch.stack(losses).tolist():
            self.losses.append(loss)
            self.total += loss
        self.tokens += sum(tokens)

    def news(self) -> float | None:
        """Loss per token of the updates read since the last call; None if there are none."""
        total, tokens = self._told
        self._told = self.total, self.tokens
        return (self.total - total) / (self.tokens - tokens) if self.tokens > tokens else None

    @property
    def mean(self) -> float:
        """Loss per token of all updates read; there must be one."""
        return self.total / self.tokens

    @property
    def diverged(self) -> int | None:
        """The number, from 1, of the first update whose loss is not finite; None while all are."""
        if math.isfinite(self.total):
            return None
        return next(n for n, loss in enumerate(self.losses, start=1) if not math.isfinite(loss))
