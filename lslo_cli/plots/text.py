"""Figures made of characters, for terminals: legible without colour, better with it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib.colors import Colormap, TwoSlopeNorm, to_hex

COLUMNS = 80
"""The widest line in characters."""

EIGHTHS = " ▏▎▍▌▋▊▉█"
HEIGHTS = "▁▂▃▄▅▆▇█"


class TextSpan(NamedTuple):
    """Characters that share one colour; without a background they have the terminal's own."""

    text: str
    background: str | None = None


@dataclass(frozen=True)
class TextFigure:
    """Lines of spans."""

    lines: list[list[TextSpan]]

    def __str__(self) -> str:
        """The figure without colours."""
        return "\n".join("".join(span.text for span in line).rstrip() for line in self.lines)


def line(text: str = "") -> list[TextSpan]:
    """A line in the terminal's own colour."""
    return [TextSpan(text)]


def remark(text: str) -> list[list[TextSpan]]:
    """``text``, wrapped into lines."""
    return [line(part) for part in textwrap.wrap(text, COLUMNS, break_on_hyphens=False)]


def coloured(text: str, value: float, limits: tuple[float, float], colours: Colormap) -> TextSpan:
    """A cell on the colour of ``value`` in a map between ``limits``, with zero in its middle."""
    return TextSpan(text, to_hex(colours(TwoSlopeNorm(0.0, *limits)(value))))


def bar(share: float, width: int) -> str:
    """A bar of ``share`` of ``width`` characters, in steps of an eighth of a character."""
    eighths = round(8 * width * min(max(share, 0.0), 1.0))
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip().ljust(width)


def sparkline(values: list[float], lowest: float, highest: float) -> str:
    """One character for each value, its height by the position between ``lowest`` and ``highest``."""
    steps = len(HEIGHTS) - 1
    span = highest - lowest or 1.0
    return "".join(HEIGHTS[round(steps * (value - lowest) / span)] for value in values)
