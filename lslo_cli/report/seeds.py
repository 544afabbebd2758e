"""Several seeds of one experiment in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lslo_cli.errors import InputError
from lslo_cli.report.table import Cell, Column, Spread, Table, three_decimals
from lslo_cli.wording import over


def over_seeds(tables: Sequence[Table], of: int | None = None) -> Table:
    """One table from the same table of several seeds: each measured value becomes a :class:`Spread`.

    ``of`` is the number of all seeds, if some have no such table.

    Rows are matched by their first cell, so a run that some seed lacks has a smaller n, which a note says.
    Values that all seeds share, such as names and parameter counts, are kept. Raises InputError for tables
    that differ in title, which names the metric, or in columns.
    """
    first = tables[0]
    for table in tables:
        ours, theirs = ([table.title, *table.header] for table in (first, table))
        if ours != theirs:
            raise InputError(
                f"these tables cannot be combined: {' | '.join(ours)} and {' | '.join(theirs)}",
                "combine seeds of one experiment, scored in the same way",
            )
    by_name: dict[Cell, list[tuple[Cell, ...]]] = {}
    for table in tables:
        for row in table.rows:
            by_name.setdefault(row[0], []).append(row)
    rows = tuple(tuple(_over_seeds(cells) for cells in zip(*rows, strict=True)) for rows in by_name.values())
    runs: dict[int, list[str]] = {}
    for name, found in by_name.items():
        runs.setdefault(len(found), []).append(str(name))
    seeds = of or len(tables)
    fewer = (
        f"Only {number} of {seeds} seeds: {', '.join(names)}."
        for number, names in runs.items()
        if number < seeds
    )
    title = f"{first.title}, {over('mean ± sample standard deviation', runs)}"
    return replace(first, title=title, rows=rows, notes=(*first.notes, *fewer))


def spread_table(table: Table) -> Table:
    """Every spread of a table from :func:`over_seeds` in a separate row, with minimum, maximum and n."""
    rows = tuple(
        (row[0], column.name, cell.mean, cell.deviation, cell.minimum, cell.maximum, cell.n)
        for row in table.rows
        for column, cell in zip(table.columns, row, strict=True)
        if isinstance(cell, Spread)
    )
    statistics = (Column(name, three_decimals) for name in ("mean", "deviation", "minimum", "maximum"))
    return Table(table.title, (table.columns[0], Column("Value"), *statistics, Column("n")), rows)


def _over_seeds(cells: Sequence[Cell]) -> Cell:
    """A spread of the numbers among ``cells``; counts and names that all seeds share stay."""
    if not any(isinstance(cell, float) for cell in cells) and len(set(cells)) == 1:
        return cells[0]
    numbers = [cell for cell in cells if isinstance(cell, int | float)]
    return Spread.of(numbers) if numbers else None
