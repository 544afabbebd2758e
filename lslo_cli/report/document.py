"""A report as values, independent of the output format."""

from __future__ import annotations

from dataclasses import dataclass

from lslo_cli.report.table import Table


@dataclass(frozen=True)
class Figure:
    """A figure as SVG, for light and for dark screens, with its title."""

    title: str
    light: str
    dark: str


@dataclass(frozen=True)
class DocumentSection:
    """The tables and figures of one study, after a summary in words and the facts common to all."""

    title: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...] = ()
    summary: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportDocument:
    """A title, sections, and a glossary of their terms."""

    title: str
    sections: tuple[DocumentSection, ...]
    glossary: tuple[tuple[str, str], ...] = ()
