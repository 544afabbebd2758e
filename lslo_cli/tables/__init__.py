"""The paper's tables, each a pure function from results to a table of unrounded values."""

from lslo_cli.tables.quality import Metric, quality_table
from lslo_cli.tables.report import correlation_tables, size_table
from lslo_cli.tables.seeds import over_seeds, spread_table
from lslo_cli.tables.table import Cell, Column, Spread, Table

__all__ = [
    "Cell",
    "Column",
    "Metric",
    "Spread",
    "Table",
    "correlation_tables",
    "over_seeds",
    "quality_table",
    "size_table",
    "spread_table",
]
