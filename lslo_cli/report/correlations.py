"""Tables 9 and 10: correlation of importance score with bitext size, ours beside the printed values."""

from __future__ import annotations

from lslo_cli.artifacts.again import place_flags
from lslo_cli.artifacts.results import MEASURES, CorrelationRow
from lslo_cli.method.languages import AVERAGE
from lslo_cli.method.statistics import NEEDED
from lslo_cli.paper import printed_correlations
from lslo_cli.report.comparability import base_differences
from lslo_cli.report.provenance import made_by
from lslo_cli.report.study import SeedResults, Study
from lslo_cli.report.table import Cell, Column, Difference, Spread, Table, p_value, two_decimals
from lslo_cli.wording import typed

CORRELATION_TABLES = (9, 10)


def printed_correlation_table(number: int, study: Study) -> Table:
    """Table 9 (encoder) or 10 (decoder). Over several seeds p is a range.

    The paper correlates raw bitext sizes; Pearson on their logarithm and Spearman are to the right. A
    difference is given only if base model and languages are the paper's.
    """
    printed = printed_correlations(number)
    differences = base_differences(study, "lang12")
    rows = []
    for row in printed.rows:
        ours = [_measured(study, printed.stack, row.kind, measure) for measure in MEASURES]
        papers: list[Cell] = [row.r, row.p]
        if not differences:
            papers.append(None if ours[0] is None else Difference(ours[0].mean - row.r))
        rows.append((AVERAGE if row.kind == "avg" else row.kind, *ours[:2], *papers, *ours[2:]))
    difference = () if differences else (Column("difference", two_decimals),)
    return Table(
        title=printed.title,
        columns=(
            Column("Module"),
            Column("ours r", two_decimals),
            Column("ours p", p_value, as_range=True),
            Column("paper r", two_decimals),
            Column("paper p", p_value),
            *difference,
            Column("ours r (log10)", two_decimals),
            Column("ours p (log10)", p_value, as_range=True),
            Column("ours rho", two_decimals),
            Column("ours p (rho)", p_value, as_range=True),
        ),
        rows=tuple(rows),
        number=number,
        notes=_notes(study, printed.stack, differences),
    )


def correlation_row(seed: SeedResults, stack: str, kind: str) -> CorrelationRow | None:
    """The row of a seed's prune report for one kind of matrix; None without a report or such a row."""
    if seed.prune_report is None:
        return None
    rows = seed.prune_report.result.correlations
    return next((row for row in rows if (row.stack, row.kind) == (stack, kind)), None)


def _measured(study: Study, stack: str, kind: str, measure: str) -> Spread | None:
    def value(seed: SeedResults) -> float | None:
        row = correlation_row(seed, stack, kind)
        return getattr(row, measure) if row else None

    return study.over_seeds(value)


def _notes(study: Study, stack: str, differences: list[str]) -> tuple[str, ...]:
    reports = [seed.prune_report for seed in study.seeds if seed.prune_report]
    rows = [row for report in reports for row in report.result.correlations if row.stack == stack]
    if not reports:
        line = typed("prune-report", *place_flags(study.seeds[0].folders[0])[:4])
        return (f"Not run: there is no prune report; make one: {line}",)
    if not rows:
        return (f"No prune report has correlations: {NEEDED}.",)
    numbers = sorted({row.n for row in rows})
    notes = [f"Languages with a bitext size: n = {', '.join(map(str, numbers))}; {made_by(study, reports)}."]
    if differences:
        notes.insert(0, f"Ours were measured differently from the paper's: {'; '.join(differences)}.")
    return tuple(notes)
