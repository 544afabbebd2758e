"""Whether a study supports the paper's claims: each comparison with its numbers, tested against chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from lslo_cli.method.languages import AVERAGE
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.method.statistics import Interval, interval_over_seeds
from lslo_cli.paper import CLAIMS, Claim, ClaimedComparison, Expectation, printed_correlations, printed_table
from lslo_cli.report.correlations import CORRELATION_TABLES, correlation_row
from lslo_cli.report.study import Study
from lslo_cli.report.table import Cell, Column, Difference, Table, two_decimals

SIGNIFICANT = 0.05
RESOURCE_CLAIM = "The space a language needs follows its bitext: importance score and bitext size correlate"
MARGIN = 1.0
"""The margin in spBLEU of equivalence ("as high as") and non-inferiority ("not lower than")."""
INTERVAL_NOTE = (
    "Difference: mean over the seeds that have both rows, paired by seed. Interval: 95 %, by Student's t "
    "over seeds, for one choice of test sentences. A difference shows if its interval is above 0."
)
LIKENESS_NOTE = (
    f"Likeness shows if the interval lies within {MARGIN:g} spBLEU of 0, and 'not lower' if it lies "
    f"above -{MARGIN:g}."
)
NO_LIKENESS_NOTE = "Likeness and 'not lower' are not judged: their margin is in spBLEU."
CORRELATION_NOTE = "A correlation shows if p < 0.05 in every seed."
POINT_NOTE = "An interval without width, where every seed gives the same difference, tells nothing apart."
ONE_SEED_NOTE = "If only one seed has both rows there is no interval, and the difference shows nothing."


class Verdict(StrEnum):
    """Whether a claim of the paper shows."""

    SHOWS = "shows"
    IN_PART = "shows in part"
    INCOMPLETE = "not all run"
    WITHIN = "not told apart"
    CONTRARY = "does not show"
    UNKNOWN = "one seed cannot tell"
    CONTROL = "not borne out by its controls"
    CONTROLS_OPEN = "its controls cannot tell"
    CONTROLS_NOT_RUN = "controls not all run"
    SAME = "the same settings"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Outcome:
    """A comparison as measured. ``interval`` is None with one seed; ``paper`` is the printed difference.

    ``p`` is the p-value over the rows of the tests, None if they were not resampled.
    """

    text: str
    column: str
    difference: float | None
    interval: Interval | None
    paper: float | None
    verdict: Verdict
    p: float | None = None


@dataclass(frozen=True)
class Finding:
    """A claim and the outcome of each of its comparisons."""

    text: str
    outcomes: tuple[Outcome, ...]

    @property
    def verdict(self) -> Verdict:
        """``SHOWS`` if every comparison shows, ``IN_PART`` if some do, ``INCOMPLETE`` unless all were run.

        If none shows, ``CONTRARY`` needs one that speaks against the claim; otherwise it is open.
        """
        seen = {outcome.verdict for outcome in self.outcomes}
        if len(seen) == 1:
            return seen.pop()
        if Verdict.NOT_RUN in seen:
            return Verdict.INCOMPLETE
        if Verdict.SHOWS in seen:
            return Verdict.IN_PART
        return Verdict.CONTRARY if seen & {Verdict.CONTRARY, Verdict.CONTROL} else Verdict.WITHIN

    @property
    def summary(self) -> str:
        """The verdict, with the number of comparisons that show if some but not all do."""
        if self.verdict not in (Verdict.IN_PART, Verdict.INCOMPLETE):
            return self.verdict.value
        shown = sum(outcome.verdict is Verdict.SHOWS for outcome in self.outcomes)
        ran = sum(outcome.verdict is not Verdict.NOT_RUN for outcome in self.outcomes)
        return f"{self.verdict} ({shown} of {ran} show)"


def findings(study: Study, numbers: Sequence[int]) -> list[Finding]:
    """The claims of these tables of the paper; a comparison with a missing row is "not run".

    Of comparisons that take a margin, which is in spBLEU, there are none in another metric.
    """
    found = [
        Finding(claim.text, tuple(_compare(study, claim, comparison) for comparison in comparisons))
        for claim in CLAIMS
        if claim.number in numbers
        and (comparisons := [each for each in claim.comparisons if _judges(study, each)])
    ]
    if stacks := [number for number in CORRELATION_TABLES if number in numbers]:
        printed = map(printed_correlations, stacks)
        measured: list[tuple[str, str, float | None]] = [
            *((table.stack, "avg", table.rows[-1].r) for table in printed),
            ("all", "total", None),
        ]
        outcomes = (_correlate(study, *which, log=log) for which in measured for log in (False, True))
        found.append(Finding(RESOURCE_CLAIM, tuple(outcomes)))
    return found


def _judges(study: Study, comparison: ClaimedComparison) -> bool:
    """Whether a comparison can be judged in the study's metric."""
    return study.metric == SPBLEU or comparison.expected is Expectation.HIGHER


def findings_table(study: Study, numbers: Sequence[int]) -> Table:
    """One row for each comparison of each claim."""
    found = findings(study, numbers)
    outcomes = [outcome for finding in found for outcome in finding.outcomes]
    correlates = any(finding.text == RESOURCE_CLAIM for finding in found)
    likeness = LIKENESS_NOTE if study.metric == SPBLEU else NO_LIKENESS_NOTE
    metric = "" if study.metric == SPBLEU else f", in {study.metric}"
    return Table(
        title=f"Findings: the paper's claims, computed from the tables{metric}",
        columns=(
            Column("Claim"),
            Column("Verdict"),
            Column("Comparison"),
            Column("In"),
            Column("Difference", two_decimals),
            Column("95 %"),
            Column("Paper's difference", two_decimals),
            Column("Shows?"),
        ),
        rows=tuple(_cells(finding, outcome) for finding in found for outcome in finding.outcomes),
        names=4,
        notes=(
            *notes_on(outcomes),
            *([likeness] if any(outcome.interval for outcome in outcomes) else []),
            *([CORRELATION_NOTE] if correlates else []),
        ),
    )


def _cells(finding: Finding, outcome: Outcome) -> tuple[Cell, ...]:
    difference, paper = (
        None if value is None else Difference(value) for value in (outcome.difference, outcome.paper)
    )
    names = (finding.text, finding.summary, outcome.text, outcome.column)
    return (*names, difference, interval_text(outcome), paper, outcome.verdict.value)


def interval_text(outcome: Outcome) -> str | None:
    """The interval of a difference; None if there is none."""
    interval = outcome.interval
    return f"{interval.low:+.2f} to {interval.high:+.2f}" if interval else None


def notes_on(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Notes on how to read these differences and their intervals."""
    measured = [outcome for outcome in outcomes if outcome.difference is not None]
    if any(outcome.interval for outcome in measured):
        yield INTERVAL_NOTE
    if any(outcome.interval and outcome.interval.is_point for outcome in measured):
        yield POINT_NOTE
    if any(outcome.interval is None for outcome in measured):
        yield ONE_SEED_NOTE


def _compare(study: Study, claim: Claim, comparison: ClaimedComparison) -> Outcome:
    table = printed_table(claim.number)
    column = comparison.column
    printed = [
        row.average if column == AVERAGE else row.scores[column]
        for row in (table.row(comparison.run), table.row(comparison.other))
    ]
    text = f"{comparison.run} {comparison.expected} {comparison.other}"
    differences = [] if study.groups != table.groups else _differences(study, comparison)
    paper = round(printed[0] - printed[1], 2) if study.metric == SPBLEU else None
    if not differences:
        return Outcome(text, column, None, None, paper, Verdict.NOT_RUN)
    interval = interval_over_seeds(differences)
    same = study.trained_alike(comparison.run, comparison.other)
    verdict = Verdict.SAME if same else judged(comparison.expected, interval)
    return Outcome(text, column, fmean(differences), interval, paper, verdict)


def _differences(study: Study, comparison: ClaimedComparison) -> list[float]:
    """The run's score minus the other's, in every seed that has both."""
    pairs = (
        tuple(seed.score(run, comparison.column, study.metric) for run in (comparison.run, comparison.other))
        for seed in study.seeds
    )
    return [ours - other for ours, other in pairs if ours is not None and other is not None]


def judged(expected: Expectation, interval: Interval | None) -> Verdict:
    """Whether a difference is as expected, given its interval, None for one seed, which shows nothing."""
    if interval is None:
        return Verdict.UNKNOWN
    if interval.is_point:
        return Verdict.WITHIN
    if expected is Expectation.HIGHER:
        shows, contrary = interval.low > 0, interval.high < 0
    elif expected is Expectation.NOT_LOWER:
        shows, contrary = interval.low >= -MARGIN, interval.high < 0
    else:
        shows = interval.low >= -MARGIN and interval.high <= MARGIN
        contrary = interval.low > 0 or interval.high < 0
    if shows:
        return Verdict.SHOWS
    return Verdict.CONTRARY if contrary else Verdict.WITHIN


def _correlate(study: Study, stack: str, kind: str, printed: float | None, *, log: bool) -> Outcome:
    """r over languages; it shows if it is positive with p < 0.05 in every seed.

    Kind ``avg`` is the mean over kinds of matrix, as in the paper's last rows, ``total`` the score of all
    matrices together.
    """
    suffix, of = ("_log", "log10 of bitext") if log else ("", "bitext")
    rows = [row for seed in study.seeds if (row := correlation_row(seed, stack, kind))]
    measured = [
        (r, getattr(row, f"pearson{suffix}_p"))
        for row in rows
        if (r := getattr(row, f"pearson{suffix}")) is not None
    ]
    text, paper = f"r of importance with {of}", None if log else printed
    column = f"{stack}, mean" if kind == "avg" else f"{stack}, total"
    if not measured:
        return Outcome(text, column, None, None, paper, Verdict.NOT_RUN)
    shows = all(r > 0 and p < SIGNIFICANT for r, p in measured)
    verdict = Verdict.SHOWS if shows else Verdict.CONTRARY
    interval = interval_over_seeds([r for r, _ in measured])
    return Outcome(text, column, fmean(r for r, _ in measured), interval, paper, verdict)
