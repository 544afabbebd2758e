"""Tables and reports as Markdown."""

from __future__ import annotations

from lslo_cli.report.document import DocumentSection, ReportDocument
from lslo_cli.report.table import Table


def markdown(table: Table) -> str:
    """A Markdown table under its title: names aligned left, numbers right, notes below."""
    table = table.shown()
    alignment = ["---"] * table.names + ["---:"] * (len(table.columns) - table.names)
    repeats = [same for same, _ in table.lines()]
    rows = [[""] * same + row[same:] for same, row in zip(repeats, table.text_rows(), strict=True)]
    lines = [table.header, alignment, *rows]
    body = "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)
    notes = "".join(f"\n{_as_text(note)}\n" for note in table.notes)
    return f"**{_as_text(table.heading)}**\n\n{body}\n{notes}"


def document_as_markdown(document: ReportDocument) -> str:
    """A report as Markdown. Figures are left out: a Markdown file cannot hold them."""
    parts = [f"# {_as_text(document.title)}\n", *(_section(section) for section in document.sections)]
    return "\n".join(parts)


def _section(section: DocumentSection) -> str:
    facts = "".join(f"- {_as_text(name)}: {_as_text(value)}\n" for name, value in section.facts)
    tables = "\n".join(markdown(table) for table in section.tables)
    return f"## {_as_text(section.title)}\n\n{facts}\n{tables}"


def _escaped(cell: str) -> str:
    return _as_text(cell).replace("|", "\\|")


def _as_text(name: str) -> str:
    """A name chosen by a user, with HTML escaped, which Markdown viewers would interpret."""
    return name.replace("<", "&lt;")
