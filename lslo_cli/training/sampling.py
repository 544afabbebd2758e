"""Temperature sampling of an epoch's sentence pairs by the bitext size of each direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import PCG64, Generator

MAX_SCALE_UP = 1.5
"""An epoch has at most this many times the number of sentence pairs, at any temperature."""

_ROUNDING = 1e-6


def epoch_generator(seed: int, epoch: int) -> Generator:
    """The random numbers of an epoch: a function of (seed, epoch) alone, so that any epoch can be resumed."""
    return Generator(PCG64([seed, epoch]))


class PairSampler:
    """Draws an epoch's sentence pairs of every direction, as fairseq's temperature sampling does.

    With n_i pairs in direction i and N in all, ratio_i = (n_i / N)^(1/T). The epoch has
    V = sum_i ratio_i / ratio_max * n_max pairs (at most 1.5 N), and direction i gets V * ratio_i / sum(ratio)
    of them, rounded down; the few left over go to directions drawn by the same shares. T = 1 takes every
    pair once; a higher T repeats pairs of small directions; equal sizes make T irrelevant.
    """

    def __init__(self, sizes: Sequence[int] | np.ndarray, temperature: float):
        """``sizes``: pairs per direction, possibly 0; ``temperature`` > 0, inf for uniform."""
        self.sizes = np.asarray(sizes, dtype=np.int64)
        if self.sizes.sum() == 0 or not temperature > 0:
            raise ValueError(f"needs some pairs and a positive temperature, not {sizes} and {temperature}")
        largest = self.sizes.argmax()
        # An empty direction is never drawn, not even at T = inf where x^0 = 1.
        ratios = np.where(self.sizes > 0, (self.sizes / self.sizes.sum()) ** (1 / temperature), 0.0)
        if ratios[largest] == 0:  # all are too small for a float, but only their proportions count
            ratios = (self.sizes / self.sizes[largest]) ** (1 / temperature)
        virtual = (ratios / ratios[largest] * self.sizes[largest]).sum()
        self.epoch_size = int(min(virtual, self.sizes.sum() * MAX_SCALE_UP) + _ROUNDING)
        self.shares = ratios / ratios.sum()

    def counts(self, generator: Generator) -> np.ndarray:
        """Pairs per direction in one epoch, summing to ``epoch_size``."""
        # Floating point may put a share just below an integer: round up, so that equal sizes stay exact.
        counts = np.floor(self.epoch_size * self.shares + _ROUNDING).astype(np.int64)
        left_over = self.epoch_size - counts.sum()
        np.add.at(counts, generator.choice(len(counts), size=left_over, p=self.shares), 1)
        return counts

    def sample(self, generator: Generator) -> list[np.ndarray]:
        """For each direction, which of its pairs are in the epoch: integers in [0, size).

        Without replacement if the count allows it, as in fairseq.
        """
        return [
            generator.choice(size, size=count, replace=bool(count > size))
            if count
            else np.empty(0, dtype=np.int64)
            for size, count in zip(self.sizes, self.counts(generator), strict=True)
        ]
