"""Tables and reports as Markdown."""

from __future__ import annotations

from lslo_cli.tables.document import Document, Section
from lslo_cli.tables.table import Table


def markdown(table: Table) -> str:
    """A Markdown table under its title: names to the left, numbers to the right, notes below."""
    table = table.shown()
    alignment = ["---"] * table.names + ["---:"] * (len(table.columns) - table.names)
    repeats = [same for same, _ in table.lines()]
    rows = [[""] * same + row[same:] for same, row in zip(repeats, table.text_rows(), strict=True)]
    lines = [table.header, alignment, *rows]
    body = "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)
    notes = "".join(f"\n{note}\n" for note in table.notes)
    return f"**{table.heading}**\n\n{body}\n{notes}"


def document_as_markdown(document: Document) -> str:
    """A report as Markdown. Figures are left out: a Markdown file cannot hold them."""
    parts = [f"# {document.title}\n", *(_section(section) for section in document.sections)]
    return "\n".join(parts)


def _section(section: Section) -> str:
    facts = "".join(f"- {name}: {value}\n" for name, value in section.facts)
    tables = "\n".join(markdown(table) for table in section.tables)
    return f"## {section.title}\n\n{facts}\n{tables}"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
