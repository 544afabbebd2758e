"""A report as one self-contained HTML file: no scripts, no fonts, no requests."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources

from lslo_cli.report.document import DocumentSection, Figure, ReportDocument
from lslo_cli.report.table import Cell, Column, SourceCell, Table

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The page may load only the figures inside it and its own style."""

POINT = 1.6
"""Pixels on the page per point of a figure, so that all figures have the same font size."""


def document_as_html(document: ReportDocument) -> str:
    """The whole page; figures are SVG in data URIs."""
    style = (resources.files("lslo_cli.report") / "page.css").read_text(encoding="utf-8")
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(document.title)}</title>",
        f"<style>\n{style}</style>",
        "</head>",
        "<body>",
        f"<h1>{escape(document.title)}</h1>",
        *_contents(document),
        *(line for n, section in enumerate(document.sections) for line in _section(section, f"s{n}")),
        *_glossary(document),
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _contents(document: ReportDocument) -> Iterator[str]:
    """Links to every table and to the figures, a line for each section."""
    yield "<nav>"
    for number, section in enumerate(document.sections):
        if len(document.sections) > 1:
            yield f"<p>{escape(section.title)}</p>"
        links = [
            (position, table.title.partition(":")[0] if table.number is None else f"Table {table.number}")
            for position, table in enumerate(section.tables)
        ] + ([("figures", "Figures")] if section.figures else [])
        items = (f'<li><a href="#s{number}-{target}">{escape(name)}</a></li>' for target, name in links)
        yield f"<ul>{''.join(items)}</ul>"
    if document.glossary:
        yield '<ul><li><a href="#glossary">Glossary</a></li></ul>'
    yield "</nav>"


def _glossary(document: ReportDocument) -> Iterator[str]:
    if document.glossary:
        yield '<section id="glossary">'
        yield "<h2>Glossary</h2>"
        yield from _facts(document.glossary)
        yield "</section>"


def _facts(facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield "<dl>"
    yield from (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    yield "</dl>"


def _section(section: DocumentSection, anchor: str) -> Iterator[str]:
    yield f"<h2>{escape(section.title)}</h2>"
    if section.summary:
        yield '<div class="summary">'
        yield from (f"<p>{escape(sentence)}</p>" for sentence in section.summary)
        yield "</div>"
    yield from _facts(section.facts)
    for position, table in enumerate(section.tables):
        yield f'<section id="{anchor}-{position}">'
        yield from _table(table)
        yield "</section>"
    if section.figures:
        yield f'<section id="{anchor}-figures">'
        yield "<h3>Figures</h3>"
        yield '<div class="figures">'
        yield from (_figure(figure) for figure in section.figures)
        yield "</div>"
        yield "</section>"


def _figure(figure: Figure) -> str:
    light, dark = (
        "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
        for svg in (figure.light, figure.dark)
    )
    title = escape(figure.title)
    (points,) = re.findall(r'width="([\d.]+)pt"', figure.light)[:1]
    width = round(POINT * float(points))
    return (
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img width="{width}" alt="{title}" src="{light}"></picture>'
        f"<figcaption>{title}</figcaption></figure>"
    )


def _table(table: Table) -> Iterator[str]:
    """A table; with three or more names, all but the last two head a block of rows."""
    table = table.shown()
    lead = max(0, table.names - 2)
    yield f"<h3>{escape(table.heading)}</h3>"
    yield '<div class="scroll" tabindex="0">'
    sourced = any(isinstance(cell, SourceCell) for row in table.rows for cell in row)
    yield f"<table{_class('' if sourced else 'plain')}>"
    heads = (
        f'<th scope="col"{_class("" if n < table.names else "value")}>{escape(column.name)}</th>'
        for n, column in enumerate(table.columns)
        if n >= lead
    )
    yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    lines = list(table.lines())
    for position, (same, row) in enumerate(lines):
        if same < lead:
            yield _block_head(row[:lead], len(table.columns) - lead)
        first = same < table.names - 1 or table.names == 1
        height = 1 + _repeats(lines[position + 1 :], table.names - 1) if first else 0
        yield _row(table, row, lead, height)
    yield "</tbody>"
    yield "</table>"
    yield "</div>"
    yield f'<div class="notes">{"".join(f"<p>{escape(note)}</p>" for note in table.notes)}</div>'


def _repeats(lines: list[tuple[int, tuple[Cell, ...]]], names: int) -> int:
    """How many of the following rows share all names but the last."""
    count = 0
    while count < len(lines) and names and lines[count][0] >= names:
        count += 1
    return count


def _block_head(names: tuple[Cell, ...], width: int) -> str:
    text, *marks = (str(name) for name in names)
    marked = "".join(f'<span class="verdict {_slug(mark)}">{escape(mark)}</span>' for mark in marks)
    words = f'<span class="words">{escape(text)}{marked}</span>'
    return f'<tr class="block"><th colspan="{width}" scope="rowgroup">{words}</th></tr>'


def _row(table: Table, row: tuple[Cell, ...], lead: int, height: int) -> str:
    """One row. ``height`` is the number of rows that share its name, 0 if a row above has written it."""
    source = next((cell for cell in row if isinstance(cell, SourceCell)), None)
    classes = [*(["first"] if height else []), *([_slug(source.line.value)] if source else [])]
    cells = []
    for number, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
        if number < lead:
            continue
        if number < table.names:
            last = number == table.names - 1 and table.names > 1
            if last or height:
                span = f' rowspan="{height}"' if not last and height > 1 else ""
                kind = "source" if last else "row"
                cells.append(f'<th scope="row" class="{kind}"{span}>{escape(column.text(cell))}</th>')
        else:
            label = escape(column.name, quote=True)
            cells.append(f'<td data-label="{label}">{_value(column, cell)}</td>')
    return f"<tr{_class(' '.join(classes))}>{''.join(cells)}</tr>"


def _value(column: Column, cell: Cell) -> str:
    value, deviation = column.parts(cell)
    spread = f'<span class="deviation">±&#8239;{escape(deviation)}</span>' if deviation else ""
    text = "–" if value == "-" else escape(value).replace("-", "−") if _is_number(value) else escape(value)
    return text + spread


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[\d.,]+", text) is not None


def _slug(text: str) -> str:
    """A class name: "shows in part (5 of 6)" is shows-in-part."""
    return text.partition(" (")[0].replace(" ", "-")


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
