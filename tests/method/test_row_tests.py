"""Tests of runs over rows."""

import random

import numpy as np
import pytest

from lslo_cli.method.row_tests import (
    holm,
    interval_over_rows,
    resampled_accuracy,
    resampled_macro_f1,
    two_sided_p,
)
from lslo_cli.method.task_scores import accuracy, macro_f1

LABELS = [0, 1, 2, 2, 0, 1, 1]
ANSWERS = [0, 1, 1, 2, 2, 1, 0]


def test_a_resample_scores_what_its_rows_score():
    draws = [[0, 1, 2, 3, 4, 5, 6], [0, 0, 2, 3, 3, 6, 6], [4, 4, 4, 4, 4, 4, 4]]
    counts = np.array([[rows.count(row) for row in range(7)] for rows in draws])
    for resampled, score in (
        (resampled_accuracy(ANSWERS, LABELS, counts), accuracy),
        (resampled_macro_f1(ANSWERS, LABELS, 3, counts), lambda a, y: macro_f1(a, y, 3)),
    ):
        expected = [score([ANSWERS[r] for r in rows], [LABELS[r] for r in rows]) for rows in draws]
        assert resampled.tolist() == pytest.approx(expected)


def test_p_is_small_where_the_difference_is_many_deviations():
    resampled = np.array([random.Random(row).gauss(3, 1) for row in range(1000)])
    assert two_sided_p(3.0, resampled) == pytest.approx(0.0027, rel=0.5)
    assert two_sided_p(0.1, resampled) > 0.9
    assert two_sided_p(0.0, np.zeros(10)) == 1


def test_the_interval_over_rows_holds_0_where_p_is_above_5_percent():
    resampled = np.random.default_rng(1).normal(2.0, 1.0, 1000)
    for difference in (1.8, 2.2):
        interval = interval_over_rows(difference, resampled)
        assert (interval.low + interval.high) / 2 == pytest.approx(difference)
        assert (interval.low > 0) == (two_sided_p(difference, resampled) < 0.05)
    half = (interval.high - interval.low) / 2
    assert half == pytest.approx(1.959964 * resampled.std(ddof=1))


def test_holm_by_hand_in_the_order_given():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
