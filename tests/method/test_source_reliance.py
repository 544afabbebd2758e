"""Controls of fused models, by hand."""

import pytest

from lslo_cli.method.source_reliance import Reliance, reliance, repeated_errors


def test_reliance_counts_only_rows_whose_source_has_another_label():
    labels, shuffled = [0, 0, 1, 2], [1, 2, 3, 0]  # row 0 got a source of its own label
    assert reliance([2, 1, 1, 2], labels, shuffled) == Reliance(source=100 / 3, target=200 / 3)


def test_a_model_that_reads_only_the_source_always_says_its_label():
    labels, shuffled = [0, 1, 2], [1, 2, 0]
    assert reliance([1, 2, 0], labels, shuffled) == Reliance(100, 0)


def test_reliance_needs_a_source_with_another_label():
    assert reliance([0, 0], [0, 0], [1, 0]) is None


def test_repeated_errors_are_the_same_wrong_answers():
    assert repeated_errors([1, 2, 0, 0], reference=[1, 1, 1, 0], labels=[0, 0, 0, 0]) == pytest.approx(
        100 / 3
    )
    assert repeated_errors([1], reference=[0], labels=[0]) is None
