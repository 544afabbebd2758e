"""Compare two runs over seeds and over the rows of the tests, adjusting for multiple comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING

from lslo_cli.flare.results import FlareEvaluationResult
from lslo_cli.flare.study import Answers, FlareStudy, digits
from lslo_cli.method.row_tests import (
    RESAMPLES,
    holm,
    interval_over_rows,
    resampled_accuracy,
    resampled_macro_f1,
    two_sided_p,
)
from lslo_cli.method.statistics import Interval, interval_over_seeds, resampled_counts
from lslo_cli.report.findings import SIGNIFICANT, Outcome, Verdict, interval_text
from lslo_cli.report.table import Cell, Column, Difference, p_value, two_decimals

if TYPE_CHECKING:
    import numpy as np

COLUMNS = (Column("Difference", two_decimals), Column("95 %"), Column("p", p_value))
"""The columns of :func:`numbers`."""


def p_note(study: FlareStudy) -> str:
    """How p was computed."""
    resamples = (
        "the same resamples for all languages and seeds"
        if study.is_parallel
        else "the same resamples for all seeds, and others for each language, whose tests are other texts"
    )
    return (
        f"p: by a paired bootstrap over the rows of the tests, {resamples}, adjusted for the number of "
        f"comparisons in the table (Holm). A difference that shows also has p below {SIGNIFICANT:g}."
    )


@dataclass(frozen=True)
class Comparison:
    """Whether ``ours`` scores higher than ``theirs``; ``paper`` is the printed difference.

    It does not if it is at most less than ``margin`` points higher; in between, they are not told apart.
    """

    text: str
    ours: Answers
    theirs: Answers
    paper: float | None = None
    margin: float = 0.0


@dataclass(frozen=True)
class MeasuredDifference:
    """A difference with its 95 % intervals, over seeds (None for one) and over rows, and its p over rows."""

    difference: float
    over_seeds: Interval | None
    over_rows: Interval
    p: float

    def verdict(self, margin: float) -> Verdict:
        """``SHOWS`` if above 0 over seeds and rows, ``CONTRARY`` if both intervals end below ``margin``.

        ``WITHIN`` in between, where neither is known, and ``UNKNOWN`` for one seed. Seeds that all give the
        same difference but 0 tell neither.
        """
        if self.over_seeds is None:
            return Verdict.UNKNOWN
        if self.over_seeds.is_point:
            return Verdict.WITHIN
        if self.over_seeds.low > 0 and self.p < SIGNIFICANT:
            return Verdict.SHOWS
        if max(self.over_seeds.high, self.over_rows.high) < margin:
            return Verdict.CONTRARY
        return Verdict.WITHIN


class Comparer:
    """Comparisons of the runs of one study; resampled scores are cached."""

    def __init__(self, study: FlareStudy):
        self.study = study
        self._resampled = cache(self._resample)

    def compare(self, comparisons: Sequence[Comparison]) -> list[Outcome]:
        """The outcome of each, in order; p-values are adjusted for their number."""
        found = [self._measure(comparison) for comparison in comparisons]
        adjusted = iter(holm([each.p for each in found if each]))
        return [
            _outcome(comparison, replace(each, p=next(adjusted)) if each else None)
            for comparison, each in zip(comparisons, found, strict=True)
        ]

    def _measure(self, comparison: Comparison) -> MeasuredDifference | None:
        """The difference over the seeds that have both sides in all languages; None if no seed has."""
        ours, theirs = (self.study.scores(side) for side in (comparison.ours, comparison.theirs))
        both = ours.keys() & theirs.keys()
        seeds = [s for s in self.study.seeds if all((s, code) in both for code in self.study.languages)]
        if not seeds:
            return None
        keys = [(seed, code) for seed in seeds for code in self.study.languages]
        differences = [fmean(ours[key] - theirs[key] for key in keys if key[0] == seed) for seed in seeds]
        resampled = sum(
            self._resampled(key, comparison.ours[key]) - self._resampled(key, comparison.theirs[key])
            for key in keys
        ) / len(keys)
        difference = fmean(differences)
        return MeasuredDifference(
            difference,
            interval_over_seeds(differences),
            interval_over_rows(difference, resampled),
            two_sided_p(difference, resampled),
        )

    def _resample(self, key: tuple[int, str], answers: str) -> np.ndarray:
        """The score of answers on every resample of the rows of their test."""
        result: FlareEvaluationResult = self.study.evaluations[key]
        gold = digits(result.gold)
        counts = _counts(len(gold), "" if self.study.is_parallel else result.language)
        if result.metric == "macro-F1":
            return resampled_macro_f1(digits(answers), gold, len(result.labels), counts)
        return resampled_accuracy(digits(answers), gold, counts)


def _outcome(comparison: Comparison, found: MeasuredDifference | None) -> Outcome:
    if found is None:
        return Outcome(comparison.text, "", None, None, comparison.paper, Verdict.NOT_RUN)
    verdict = found.verdict(comparison.margin)
    return Outcome(
        comparison.text, "", found.difference, found.over_seeds, comparison.paper, verdict, p=found.p
    )


def numbers(outcome: Outcome) -> Sequence[Cell]:
    """The cells of ``COLUMNS``."""
    difference = None if outcome.difference is None else Difference(outcome.difference)
    return difference, interval_text(outcome), outcome.p


@cache
def _counts(rows: int, language: str) -> np.ndarray:
    """Resamples of a language's test; of all languages' if it is empty, for tests that are parallel."""
    return resampled_counts(rows, RESAMPLES, [rows, *language.encode()])
