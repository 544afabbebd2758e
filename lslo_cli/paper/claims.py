"""The paper's claims about its tables, each as comparisons of rows that any experiment can repeat."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class Expectation(StrEnum):
    """The expected relation of one row to another."""

    HIGHER = "higher than"
    NOT_LOWER = "not lower than"
    ALIKE = "as high as"


@dataclass(frozen=True)
class ClaimedComparison:
    """``run`` against ``other`` in one column: a group of directions, or AVG."""

    run: str
    other: str
    column: str
    expected: Expectation = Expectation.HIGHER


@dataclass(frozen=True)
class Claim:
    """A claim and its comparisons, all in table ``number``."""

    number: int
    text: str
    comparisons: tuple[ClaimedComparison, ...]


def _falling(column: str, *runs: str) -> tuple[ClaimedComparison, ...]:
    """Each run above the next."""
    return tuple(ClaimedComparison(run, other, column) for run, other in pairwise(runs))


_BEST, _PLAIN, _UNIFORM = "2-2-8-gps0.9", "2-2-8", "8-8-8"
_RATIOS = tuple(f"2-2-8-gps{ratio}" for ratio in (0.9, 0.7, 0.5, 0.3, 0.1))
_HIGHER, _NOT_LOWER, _ALIKE = Expectation.HIGHER, Expectation.NOT_LOWER, Expectation.ALIKE

CLAIMS: tuple[Claim, ...] = (
    Claim(
        1,
        "Full fine-tuning harms high-resource directions and helps very-low-resource ones",
        (ClaimedComparison("base", "full", "H2H"), ClaimedComparison("full", "base", "V2V")),
    ),
    Claim(
        1,
        "LSLo with gradual pruning harms neither, and beats full fine-tuning",
        (
            ClaimedComparison(_BEST, "base", "H2H"),
            ClaimedComparison(_BEST, "full", "H2H"),
            ClaimedComparison(_BEST, "full", "V2V", _NOT_LOWER),
            ClaimedComparison(_BEST, "full", "AVG"),
        ),
    ),
    Claim(
        1,
        "One rank for all is a trade-off: a larger one costs high-resource directions and helps very-low",
        (
            *_falling("H2H", "4-4-4", "8-8-8", "16-16-16", "64-64-64"),
            *_falling("V2V", "64-64-64", "16-16-16", "8-8-8", "4-4-4"),
        ),
    ),
    Claim(
        1,
        "A lower rank for high and medium helps them at no cost to very-low",
        (
            *(ClaimedComparison(_PLAIN, _UNIFORM, group) for group in ("H2H", "H2M", "M2H", "M2M")),
            ClaimedComparison(_PLAIN, _UNIFORM, "V2V", _NOT_LOWER),
        ),
    ),
    Claim(
        1,
        "The more of high and medium is pruned, the better high-resource directions, at no cost to very-low",
        (
            ClaimedComparison(_BEST, _PLAIN, "H2H"),
            *_falling("H2H", *_RATIOS, _PLAIN),
            ClaimedComparison(_BEST, _PLAIN, "V2V", _NOT_LOWER),
        ),
    ),
    Claim(
        1,
        "The parameters saved can go to very-low: there a larger rank helps",
        (
            *_falling("V2V", "2-2-64-gps0.9", "2-2-16-gps0.9", _BEST),
            *_falling("AVG", "2-2-64-gps0.9", "2-2-16-gps0.9", _BEST),
        ),
    ),
    Claim(
        2,
        "With 30 languages too, pruned LSLo beats full fine-tuning, which harms high-resource directions",
        (
            ClaimedComparison("base", "full", "H2H"),
            ClaimedComparison("2-2-8-8-gps0.9", "base", "H2H"),
            ClaimedComparison("2-2-8-8-gps0.9", "full", "AVG"),
        ),
    ),
    Claim(
        3,
        "The learned index beats source and target in the whole encoder",
        tuple(
            ClaimedComparison(_BEST, other, column)
            for other in ("2-2-8-source-gps0.9", "2-2-8-target-gps0.9")
            for column in ("AVG", "V2V")
        ),
    ),
    Claim(
        4,
        "At an equal budget, as the paper counts it, adapters in fc1 and fc2 beat attention alone and all",
        (
            ClaimedComparison("fc-2-2-16-gps0.9", "attn-2-2-8-gps0.9", "AVG"),
            ClaimedComparison("fc-2-2-32-gps0.9", "attn-2-2-16-gps0.9", "AVG"),
            ClaimedComparison("fc-2-2-32-gps0.9", _BEST, "AVG"),
            ClaimedComparison("fc-2-2-64-gps0.9", "2-2-16-gps0.9", "AVG"),
        ),
    ),
    Claim(
        4,
        "They still do beside twice as many parameters, which are as many where adapters span all units",
        (
            ClaimedComparison("fc-2-2-16-gps0.9", "attn-2-2-16-gps0.9", "AVG"),
            ClaimedComparison("fc-2-2-16-gps0.9", _BEST, "AVG"),
            ClaimedComparison("fc-2-2-32-gps0.9", "2-2-16-gps0.9", "AVG"),
        ),
    ),
    Claim(
        8,
        "When pruning starts and how long it lasts hardly matters",
        tuple(
            ClaimedComparison(f"2-2-8-gps0.9-{schedule}", _BEST, "AVG", _ALIKE)
            for schedule in ("E5-k8", "E7-k8", "E2-k2", "E7-k2")
        ),
    ),
)
"""Every claim of sections 6.3, 7.1, 7.3 and appendix B about scores, in the order of the tables."""
