"""Tables, each a pure function from results to unrounded values, and one writer per format."""

from lslo_cli.report.correlations import CORRELATION_TABLES, printed_correlation_table
from lslo_cli.report.document import DocumentSection, Figure, ReportDocument
from lslo_cli.report.findings import Finding, Verdict, findings, findings_table
from lslo_cli.report.latex import document_as_latex, latex
from lslo_cli.report.markdown import document_as_markdown, markdown
from lslo_cli.report.page import document_as_html
from lslo_cli.report.provenance import facts
from lslo_cli.report.quality import quality_table
from lslo_cli.report.runs import other_runs
from lslo_cli.report.scores import SCORE_TABLES, score_table
from lslo_cli.report.seeds import over_seeds, spread_table
from lslo_cli.report.settings import SETTINGS_TABLE, settings_table
from lslo_cli.report.sizes import correlation_tables, size_table
from lslo_cli.report.study import SeedResults, Study
from lslo_cli.report.table import Cell, Column, Difference, RowSource, SourceCell, Spread, Table
from lslo_cli.report.tidy import document_as_csv

__all__ = [
    "CORRELATION_TABLES",
    "SCORE_TABLES",
    "SETTINGS_TABLE",
    "Cell",
    "Column",
    "Difference",
    "DocumentSection",
    "Figure",
    "Finding",
    "ReportDocument",
    "RowSource",
    "SeedResults",
    "SourceCell",
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
