"""The tables that the paper prints, as values: what ours are compared with."""

from lslo_cli.paper.claims import CLAIMS, Claim, Comparison, Expectation
from lslo_cli.paper.tables import (
    PrintedCorrelation,
    PrintedCorrelations,
    PrintedRow,
    PrintedSchedule,
    PrintedSchedules,
    PrintedTable,
    printed_correlations,
    printed_schedules,
    printed_table,
)

__all__ = [
    "CLAIMS",
    "Claim",
    "Comparison",
    "Expectation",
    "PrintedCorrelation",
    "PrintedCorrelations",
    "PrintedRow",
    "PrintedSchedule",
    "PrintedSchedules",
    "PrintedTable",
    "printed_correlations",
    "printed_schedules",
    "printed_table",
]
