"""Tables as one long CSV: one unrounded value per line, with all that identifies it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from lslo_cli.report.document import ReportDocument
from lslo_cli.report.table import Cell, Difference, SourceCell, Spread, Table

HEADER = ("study", "table", "row", "run", "source", "column", "value", "deviation", "minimum", "maximum", "n",
          "text")  # fmt: skip
RUN = "Run"


def document_as_csv(document: ReportDocument) -> str:
    """Every value of every table as CSV with one header.

    ``row`` joins the row's names, ``run`` is the run, if any, and ``source`` is the paper or ours.
    ``deviation``, ``minimum``, ``maximum`` and ``n`` are over seeds. Text cells have no ``value``.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    for section in document.sections:
        for table in section.tables:
            writer.writerows([section.title, table.number or table.title, *line] for line in _lines(table))
    return file.getvalue()


def _lines(table: Table) -> Iterator[list[object]]:
    for row in table.rows:
        names = list(zip(table.columns, row, strict=True))[: table.names]
        source = next((cell for _, cell in names if isinstance(cell, SourceCell)), None)
        run = next((cell for column, cell in names if column.name == RUN), None)
        label = " / ".join(
            str(cell) for column, cell in names if cell and column.shown and not isinstance(cell, SourceCell)
        )
        for column, cell in list(zip(table.columns, row, strict=True))[table.names :]:
            if cell is not None:
                line = source.line.value if source else ""
                yield [label, run or "", line, column.name, *_numbers(cell), column.text(cell)]


def _numbers(cell: Cell) -> tuple[object, ...]:
    if isinstance(cell, Spread):
        return cell.mean, cell.deviation, cell.minimum, cell.maximum, cell.n
    if isinstance(cell, Difference):
        return cell.value, None, None, None, None
    if isinstance(cell, int | float):
        return cell, None, None, None, None
    return (None,) * 5
