"""Read the printed tables: 1 to 4 and 8 (scores), 7 (pruning schedules), 9 and 10 (correlations)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from lslo_cli.errors import UsageError
from lslo_cli.parsing import parse_toml


@dataclass(frozen=True)
class PrintedRow:
    """One row of a table of scores.

    ``key`` is the run's name in an experiment's folder, as ``2-2-8-gps0.9``, and ``label`` what the paper
    prints. ``section`` groups rows ("Only fc"), empty in tables without sections. ``params`` is as printed
    ("15.3M"), None for the base model. ``scores`` are spBLEU by group, ``average`` over directions.
    """

    key: str
    label: str
    section: str
    params: str | None
    scores: Mapping[str, float]
    average: float


@dataclass(frozen=True)
class PrintedTable:
    """A table of scores. ``heading`` is above the labels; ``groups`` are the columns in order."""

    number: int
    title: str
    languages: str
    heading: str
    groups: tuple[str, ...]
    rows: tuple[PrintedRow, ...]

    def row(self, key: str) -> PrintedRow:
        """The row of a run. Raises UsageError for a run that the table does not have."""
        for row in self.rows:
            if row.key == key:
                return row
        keys = ", ".join(row.key for row in self.rows)
        raise UsageError(f"table {self.number} of the paper has no row '{key}'", f"its rows: {keys}")


@dataclass(frozen=True)
class PrintedCorrelation:
    """Pearson's r between bitext sizes and importance scores of one kind of matrix; ``avg`` is the mean."""

    kind: str
    r: float
    p: float


@dataclass(frozen=True)
class PrintedCorrelations:
    """Table 9 (encoder) or 10 (decoder, which the paper's caption calls encoder too)."""

    number: int
    title: str
    stack: str
    rows: tuple[PrintedCorrelation, ...]


@dataclass(frozen=True)
class PrintedSchedule:
    """One line of table 7: ratios P, first epoch E, duration k, all epochs T."""

    label: str
    ratios: tuple[float, ...]
    start_epoch: int
    duration: int
    epochs: int


@dataclass(frozen=True)
class PrintedSchedules:
    """Table 7."""

    number: int
    title: str
    rows: tuple[PrintedSchedule, ...]


def printed_table(number: int) -> PrintedTable:
    """Table 1, 2, 3, 4 or 8. Raises UsageError for another number."""
    table = _entry("scores", number)
    data = _data()[table["languages"]]
    groups = tuple(data["groups"])
    rows = []
    for section in table["sections"]:
        for key, label in section["rows"]:
            run = data["runs"][key]
            scores = dict(zip(groups, run["scores"], strict=True))
            rows.append(PrintedRow(key, label, section["name"], run.get("params"), scores, run["average"]))
    return PrintedTable(number, table["title"], table["languages"], table["heading"], groups, tuple(rows))


def printed_correlations(number: int) -> PrintedCorrelations:
    """Table 9 or 10. Raises UsageError for another number."""
    table = _entry("correlations", number)
    values = {**table["kinds"], "avg": table["average"]}
    rows = tuple(PrintedCorrelation(kind, r, p) for kind, (r, p) in values.items())
    return PrintedCorrelations(number, table["title"], table["stack"], rows)


def printed_schedules(number: int) -> PrintedSchedules:
    """Table 7. Raises UsageError for another number."""
    table = _entry("schedules", number)
    rows = tuple(PrintedSchedule(**{**row, "ratios": tuple(row["ratios"])}) for row in table["rows"])
    return PrintedSchedules(number, table["title"], rows)


def _entry(kind: str, number: int) -> dict[str, Any]:
    tables = _data()[kind]
    if str(number) not in tables:
        raise UsageError(
            f"the paper has no table of {kind} with number {number}", f"there are {', '.join(tables)}"
        )
    return tables[str(number)]


@cache
def _data() -> dict[str, Any]:
    return parse_toml((resources.files("lslo_cli.paper") / "tables.toml").read_text(encoding="utf-8"))
