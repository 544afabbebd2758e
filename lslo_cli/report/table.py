"""A table as values, and the text of its cells.

Rows have unrounded values; rounding happens last, by column. All formats are written from this form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, stdev
from typing import Any


@dataclass(frozen=True)
class Spread:
    """A value over ``n`` seeds. ``deviation`` is the sample standard deviation, None for one seed."""

    mean: float
    deviation: float | None
    minimum: float
    maximum: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Describe at least one value."""
        deviation = stdev(values) if len(values) > 1 else None
        return cls(fmean(values), deviation, min(values), max(values), len(values))


class RowSource(StrEnum):
    """The source of a row's numbers."""

    OURS = "ours"
    PAPER = "paper"
    DIFFERENCE = "difference"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class SourceCell:
    """The source of a row's numbers, as a cell; ``name`` replaces its default text."""

    line: RowSource
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.line.value


@dataclass(frozen=True)
class Difference:
    """A difference as a cell, written with its sign."""

    value: float


Cell = str | int | float | Spread | Difference | SourceCell | None
"""The value of a cell; None is missing."""


LEAST_P = 1e-15
"""p-values below this differ from 0 by no more than rounding."""


def one_decimal(value: float) -> str:
    return f"{value:.1f}"


def two_decimals(value: float) -> str:
    return f"{value:.2f}"


def three_decimals(value: float) -> str:
    return f"{value:.3f}"


def p_value(value: float) -> str:
    """Three decimals as in the paper, or one significant digit if these are zero; never 0."""
    if value < LEAST_P:
        return f"<{LEAST_P:.0e}"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"


def thousands(count: float) -> str:
    return f"{count:,.0f}"


def millions(count: float) -> str:
    """Three digits, as 22.4M."""
    digits = max(0, 2 - math.floor(math.log10(count / 1e6))) if count else 0
    return f"{count / 1e6:.{digits}f}M"


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}%"


@dataclass(frozen=True)
class Column:
    """A heading, and how the values below it are written.

    ``as_range`` writes a spread as minimum to maximum, for values such as p that have no useful mean. A
    column that is not ``shown`` only goes to CSV.
    """

    name: str
    write: Callable[[Any], str] = str
    as_range: bool = False
    shown: bool = True

    def text(self, value: Cell) -> str:
        """``value`` as text: a dash for None, mean and deviation for a spread."""
        mean, deviation = self.parts(value)
        return f"{mean} ± {deviation}" if deviation else mean

    def parts(self, value: Cell) -> tuple[str, str]:
        """``value`` as text, and its deviation, empty for all but a spread over several seeds."""
        if value is None:
            return "-", ""
        if isinstance(value, str | SourceCell):
            return str(value), ""
        if isinstance(value, Difference):
            return ("+" if value.value >= 0 else "") + self.write(value.value), ""
        if not isinstance(value, Spread):
            return self.write(value), ""
        if self.as_range:
            ends = dict.fromkeys((self.write(value.minimum), self.write(value.maximum)))
            return " to ".join(ends), ""
        deviation = "" if value.deviation is None else self.write(value.deviation).lstrip("+")
        return self.write(value.mean), deviation


@dataclass(frozen=True)
class Table:
    """Columns and rows of unrounded values.

    The first ``names`` columns name the row; a name shared with the row above is not repeated. ``number`` is
    the paper's. ``notes`` explain the numbers.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    names: int = 1
    number: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The title, preceded by the paper's number of the table."""
        return self.title if self.number is None else f"Table {self.number}. {self.title}"

    @property
    def header(self) -> list[str]:
        return [column.name for column in self.columns]

    def text_rows(self) -> list[list[str]]:
        """Every cell as text, for the console."""
        columns = self.columns
        return [[column.text(cell) for column, cell in zip(columns, row, strict=True)] for row in self.rows]

    def shown(self) -> Table:
        """The table without hidden columns and without uninformative name columns."""
        kept = [
            number
            for number, column in enumerate(self.columns)
            if column.shown and not (number < self.names and not any(row[number] for row in self.rows))
        ]
        return Table(
            self.title,
            tuple(self.columns[number] for number in kept),
            tuple(tuple(row[number] for number in kept) for row in self.rows),
            names=sum(number < self.names for number in kept),
            number=self.number,
            notes=self.notes,
        )

    def lines(self) -> Iterator[tuple[int, tuple[Cell, ...]]]:
        """Every row, preceded by the number of its first names that repeat the row above.

        The last name is never counted, so every row has one.
        """
        above: tuple[Cell, ...] = ()
        for row in self.rows:
            same = 0
            while above and same < self.names - 1 and row[same] == above[same]:
                same += 1
            yield same, row
            above = row
