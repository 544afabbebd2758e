"""The paper's claims hold in the numbers that it prints, or they would be no claims of the paper."""

import pytest

from lslo_cli.paper import CLAIMS, Expectation, printed_table

COMPARISONS = [
    pytest.param(claim.number, comparison, id=f"{comparison.run} {comparison.column} {comparison.other}")
    for claim in CLAIMS
    for comparison in claim.comparisons
]


@pytest.mark.parametrize(("number", "comparison"), COMPARISONS)
def test_every_comparison_holds_in_the_printed_table(number, comparison):
    table = printed_table(number)
    ours, other = (
        row.average if comparison.column == "AVG" else row.scores[comparison.column]
        for row in (table.row(comparison.run), table.row(comparison.other))
    )
    match comparison.expected:
        case Expectation.HIGHER:
            assert ours > other
        case Expectation.NOT_LOWER:
            assert ours >= other
        case Expectation.ALIKE:
            assert ours == pytest.approx(other, abs=0.1001)  # "max to 0.1"


def test_every_table_of_scores_has_a_claim():
    assert {claim.number for claim in CLAIMS} == {1, 2, 3, 4, 8}
