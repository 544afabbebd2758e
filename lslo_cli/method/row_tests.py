"""Bootstrap tests of two runs on the same rows, and the correction for multiple tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from lslo_cli.method.statistics import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1000
"""Bootstrap resamples of the rows of a test; their standard deviation needs no more."""


def resampled_accuracy(predicted: Sequence[int], labels: Sequence[int], counts: np.ndarray) -> np.ndarray:
    """Accuracy, 0 to 100, on every resample of the rows, (resamples,).

    ``counts`` (resamples, rows) is how often each row was drawn.
    """
    import numpy as np

    right = np.asarray(predicted) == np.asarray(labels)
    return 100 * (counts @ right) / counts.sum(axis=1)


def resampled_macro_f1(
    predicted: Sequence[int], labels: Sequence[int], classes: int, counts: np.ndarray
) -> np.ndarray:
    """Macro-F1 on every resample of the rows, (resamples,); ``counts`` as in :func:`resampled_accuracy`."""
    import numpy as np

    each = np.arange(classes)
    predictions, truth = (np.asarray(values)[:, None] == each for values in (predicted, labels))
    hits = counts @ (predictions & truth)
    named = counts @ (predictions.astype(float) + truth)
    return 100 * np.divide(2 * hits, named, out=np.zeros(named.shape), where=named > 0).mean(axis=1)


def two_sided_p(difference: float, resampled: np.ndarray) -> float:
    """Two-sided p-value of a difference: normal, with the standard deviation of its resamples."""
    deviation = float(resampled.std(ddof=1))
    if deviation == 0:
        return 0.0 if difference else 1.0
    return 2 * NormalDist().cdf(-abs(difference) / deviation)


def interval_over_rows(difference: float, resampled: np.ndarray) -> Interval:
    """The normal interval of a difference, with the standard deviation of its resamples."""
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * float(resampled.std(ddof=1))
    return Interval(difference - half, difference + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for multiple tests by Holm's method, in the order given.

    The k-th smallest of m is multiplied by m - k + 1, and raised to the largest before it. Rejections below
    0.05 then have a family-wise error rate of at most 0.05.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [math.nan] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
