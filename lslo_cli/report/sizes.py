"""The tables of a prune report (paper, tables 9 and 10)."""

from __future__ import annotations

from lslo_cli.artifacts.results import MEASURES, CorrelationRow, PruneReportResult
from lslo_cli.method.languages import AVERAGE
from lslo_cli.report.table import Cell, Column, Table, p_value, percent, thousands, two_decimals

MEASURE_COLUMNS = (
    Column("n"),
    Column("r", two_decimals),
    Column("p", p_value),
    Column("r (log)", two_decimals),
    Column("p (log)", p_value),
    Column("rho", two_decimals),
    Column("p (rho)", p_value),
)


def measure_cells(row: CorrelationRow) -> tuple[Cell, ...]:
    """The cells of :data:`MEASURE_COLUMNS`."""
    return (row.n, *(getattr(row, measure) for measure in MEASURES))


def correlation_tables(report: PruneReportResult) -> list[Table]:
    """Tables 9 and 10 and the total over both stacks; empty if too few bitext sizes are known.

    The paper's columns are r and p of Pearson on raw bitext sizes; Pearson on their logarithm and
    Spearman follow, since the sizes span orders of magnitude.
    """
    return [
        Table(
            title=f"Correlation of importance score with bitext size: {stack}",
            columns=(Column("Module"), *MEASURE_COLUMNS),
            rows=tuple(
                (AVERAGE if row.kind == "avg" else row.kind, *measure_cells(row))
                for row in report.correlations
                if row.stack == stack
            ),
        )
        for stack in dict.fromkeys(row.stack for row in report.correlations)
    ]


def size_table(report: PruneReportResult) -> Table:
    """The number of parameters of each language's adapters, and the share that gradual pruning removed."""
    rows: list[tuple[Cell, ...]] = [
        (
            row.language,
            row.resource.value,
            row.rank,
            row.parameters,
            row.parameters - row.pruned,
            row.pruned / row.parameters,
        )
        for row in report.sizes
    ]
    if rows:
        parameters = sum(row.parameters for row in report.sizes)
        pruned = sum(row.pruned for row in report.sizes)
        rows.append(("all", None, None, parameters, parameters - pruned, pruned / parameters))
    return Table(
        title=f"Adapter parameters by language: {report.run or 'no run'}",
        columns=(
            Column("Language"),
            Column("Class"),
            Column("Rank"),
            Column("Parameters", thousands),
            Column("Not pruned", thousands),
            Column("Pruned", percent),
        ),
        rows=tuple(rows),
    )
