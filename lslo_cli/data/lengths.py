"""Lines whose length does not fit that of their translation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEWEST_ROWS = 20
"""The fewest sentence pairs for estimating the spread of lengths."""
FARTHEST = 5.0
"""Robust standard deviations from the usual length beyond which a line is an outlier.

Of the 997 sentences of FLORES-101's dev split, 0 to 4 are outliers, depending on the language.
"""
LEAST_SPREAD = 0.5
"""The smallest spread, for text with translations all of one length."""

_MAD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


def length_outliers(pivot: Sequence[str], lines: Sequence[str]) -> list[int]:
    """Rows in which a line is far shorter or longer than expected from its counterpart in ``pivot``.

    Gale and Church (1993): with l_p and l characters, delta = (l - c l_p) / sqrt((c l_p + l) / 2) is about
    normal with mean 0 when the two are translations. Here c is the median of l / l_p, and the spread s is
    1.4826 times the median of abs(delta), so that outliers do not hide themselves; outliers have abs(delta) >
    5 s. Gaps are left out, and fewer than 20 rows have no outliers.
    """
    rows = [row for row, (a, b) in enumerate(zip(pivot, lines, strict=True)) if a and b]
    if len(rows) < FEWEST_ROWS:
        return []
    expected = np.array([len(pivot[row]) for row in rows], dtype=float)
    lengths = np.array([len(lines[row]) for row in rows], dtype=float)
    expected *= np.median(lengths / expected)
    delta = np.abs(lengths - expected) / np.sqrt((lengths + expected) / 2)
    spread = max(_MAD * float(np.median(delta)), LEAST_SPREAD)
    return [rows[index] for index in np.flatnonzero(delta > FARTHEST * spread)]
