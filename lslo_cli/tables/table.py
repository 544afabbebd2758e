"""A table as values, and how its cells are written.

Rows keep unrounded values; rounding happens last, by column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


Cell = str | int | float | Spread | None
"""None where there is no value."""


def two_decimals(value: float) -> str:
    return f"{value:.2f}"


def three_decimals(value: float) -> str:
    return f"{value:.3f}"


def p_value(value: float) -> str:
    """Three decimals as in the paper, one digit where that would read as zero."""
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
    """A heading, and how the values below it are written."""

    name: str
    write: Callable[[Any], str] = str

    def text(self, value: Cell) -> str:
        """``value`` as text: a dash for None, mean and deviation for a spread."""
        if value is None:
            return "-"
        if isinstance(value, Spread):
            deviation = "" if value.deviation is None else f" ± {self.write(value.deviation)}"
            return self.write(value.mean) + deviation
        return value if isinstance(value, str) else self.write(value)


@dataclass(frozen=True)
class Table:
    """Columns and rows of unrounded values. The first column names the row."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def header(self) -> list[str]:
        return [column.name for column in self.columns]

    def text_rows(self) -> list[list[str]]:
        """Every cell as text, for the console."""
        columns = self.columns
        return [[column.text(cell) for column, cell in zip(columns, row, strict=True)] for row in self.rows]

    def markdown(self) -> str:
        """A Markdown table under its title: names to the left, numbers to the right."""
        lines = [self.header, ["---", *["---:"] * (len(self.columns) - 1)], *self.text_rows()]
        escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
        body = "\n".join(f"| {' | '.join(line)} |" for line in escaped)
        return f"**{self.title}**\n\n{body}\n"
