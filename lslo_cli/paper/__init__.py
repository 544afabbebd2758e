"""The papers' printed tables, as values to compare ours with."""

from lslo_cli.paper.claims import CLAIMS, Claim, ClaimedComparison, Expectation
from lslo_cli.paper.flare import FLARE_CLAIMS, flare_table
from lslo_cli.paper.tables import (
    PrintedRow,
    PrintedSchedule,
    PrintedTable,
    printed_correlations,
    printed_schedules,
    printed_table,
)

__all__ = [
    "CLAIMS",
    "FLARE_CLAIMS",
    "Claim",
    "ClaimedComparison",
    "Expectation",
    "PrintedRow",
    "PrintedSchedule",
    "PrintedTable",
    "flare_table",
    "printed_correlations",
    "printed_schedules",
    "printed_table",
]
