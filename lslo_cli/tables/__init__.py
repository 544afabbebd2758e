"""Tables, each a pure function from results to unrounded values, and one writer for each format."""

from lslo_cli.tables.correlations import CORRELATION_TABLES, printed_correlation_table
from lslo_cli.tables.document import Document, Figure, Section
from lslo_cli.tables.findings import Finding, Verdict, findings, findings_table
from lslo_cli.tables.latex import document_as_latex, latex
from lslo_cli.tables.markdown import document_as_markdown, markdown
from lslo_cli.tables.page import document_as_html
from lslo_cli.tables.provenance import facts
from lslo_cli.tables.quality import Metric, quality_table
from lslo_cli.tables.report import correlation_tables, size_table
from lslo_cli.tables.runs import other_runs
from lslo_cli.tables.scores import SCORE_TABLES, score_table
from lslo_cli.tables.seeds import over_seeds, spread_table
from lslo_cli.tables.settings import SETTINGS_TABLE, settings_table
from lslo_cli.tables.study import SeedResults, Study
from lslo_cli.tables.table import Cell, Column, Difference, Line, Source, Spread, Table
from lslo_cli.tables.tidy import document_as_csv

__all__ = [
    "CORRELATION_TABLES",
    "SCORE_TABLES",
    "SETTINGS_TABLE",
    "Cell",
    "Column",
    "Difference",
    "Document",
    "Figure",
    "Finding",
    "Line",
    "Metric",
    "Section",
    "SeedResults",
    "Source",
    "Spread",
    "Study",
    "Table",
    "Verdict",
    "correlation_tables",
    "document_as_csv",
    "document_as_html",
    "document_as_latex",
    "document_as_markdown",
    "facts",
    "findings",
    "findings_table",
    "latex",
    "markdown",
    "other_runs",
    "over_seeds",
    "printed_correlation_table",
    "quality_table",
    "score_table",
    "settings_table",
    "size_table",
    "spread_table",
]
