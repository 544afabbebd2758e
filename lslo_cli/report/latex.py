"""Tables as LaTeX with booktabs."""

from __future__ import annotations

from collections.abc import Iterator

from lslo_cli.report.document import ReportDocument
from lslo_cli.report.table import Cell, Column, RowSource, SourceCell, Table

WIDE = 6
"""The number of columns from which a table spans both columns of a page."""

FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Scale down a table that is wider than the line."""

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def document_as_latex(document: ReportDocument) -> str:
    """Every table as a float with a caption, to be \\input; a comment names the packages.

    The facts of each section are comments above its tables. Figures are left out.
    """
    lines = [f"% {_one_line(document.title)}", r"% \usepackage{booktabs,graphicx}", ""]
    for section in document.sections:
        lines += [f"% {_one_line(section.title)}"]
        lines += [f"% {name}: {_one_line(value)}" for name, value in section.facts]
        lines += ["", *(latex(table) for table in section.tables)]
    return "\n".join(lines)


def latex(table: Table) -> str:
    """One table: names aligned left, numbers right; with three or more names, the first ones head blocks."""
    table = table.shown()
    names = min(table.names, 2)
    columns = table.columns[table.names - names :]
    body = [
        FITTED,
        rf"\begin{{tabular}}{{{'l' * names}{'r' * (len(columns) - names)}}}",
        r"\toprule",
        " & ".join(escaped(column.name) for column in columns) + r" \\",
        r"\midrule",
        *_rows(table, len(columns)),
        r"\bottomrule",
        r"\end{tabular}}",
    ]
    papers = "" if table.number is None else f" (table {table.number} of the paper)"
    caption = " ".join(escaped(text) for text in (f"{table.title}{papers}.", *table.notes))
    label = [] if table.number is None else [rf"\label{{tab:paper-{table.number}}}"]
    name = "table*" if len(columns) >= WIDE else "table"
    lines = [rf"\begin{{{name}}}", r"\centering", r"\small", *body, rf"\caption{{{caption}}}", *label]
    return "\n".join([*lines, rf"\end{{{name}}}", ""])


def escaped(text: str) -> str:
    """``text`` with LaTeX's special characters escaped."""
    return "".join(SPECIAL.get(character, character) for character in text)


def _rows(table: Table, width: int) -> Iterator[str]:
    """The rows: a heading and a rule where a block begins, gaps between rows of several sources."""
    lead = len(table.columns) - width
    gaps = any(isinstance(cell, SourceCell) for row in table.rows for cell in row)
    for number, (same, row) in enumerate(table.lines()):
        if same < lead:
            yield from [r"\midrule"] * (number > 0)
            first, *others = (escaped(str(name)) for name in row[:lead])
            text = " ".join([rf"\textbf{{{first}}}", *(rf"\textit{{{other}}}" for other in others)])
            yield rf"\multicolumn{{{width}}}{{l}}{{{text}}} \\"
        elif gaps and number and same < table.names - 1:
            yield r"\addlinespace"
        cells = [_cell(column, cell) for column, cell in zip(table.columns, row, strict=True)]
        cells = [*[""] * (same - lead), *cells[max(same, lead) :]]
        if _is_papers(row):
            cells = [cell and rf"\textit{{{cell}}}" for cell in cells]
        yield " & ".join(cells) + r" \\"


def _cell(column: Column, cell: Cell) -> str:
    value, deviation = column.parts(cell)
    value = "--" if value == "-" else escaped(value)
    return rf"{value} {{\scriptsize $\pm$ {escaped(deviation)}}}" if deviation else value


def _is_papers(row: tuple[Cell, ...]) -> bool:
    return any(isinstance(cell, SourceCell) and cell.line is RowSource.PAPER for cell in row)


def _one_line(text: str) -> str:
    return " ".join(text.split())
