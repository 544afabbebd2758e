"""How every figure looks: widths, type sizes, palette, and the marks of resource classes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby, pairwise

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Transform, offset_copy

from lslo_cli.method.languages import Language, Resource

COLUMN_WIDTH = 3.3
"""Inches of one column of a two-column page."""
PAGE_WIDTH = 6.8
"""Inches of the whole text block."""

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures are the same everywhere
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,  # text stays text
}

styled = matplotlib.rc_context(STYLE)
"""Decorator: draw in this style and leave matplotlib's own settings as they were."""

SERIES = ("#0173b2", "#d55e00", "#029e73", "#cc78bc", "#8c6d00", "#56b4e9", "#5a5a5a")
"""Colours of runs in order, which colour-blind readers can tell apart; ``MARKERS`` need no colour."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
NEUTRAL = "#5a5a5a"
MISSING = "#e4e4e4"
"""Behind cells without a value."""

CLASS_COLOURS = {
    Resource.HIGH: "#00735a",
    Resource.MEDIUM: "#0173b2",
    Resource.LOW: "#8e4585",
    Resource.VERY_LOW: "#c04f00",
}
"""Green, blue and red as in the paper's figures, purple for low, dark enough for text."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that arranges itself and belongs to no window."""
    return Figure(figsize=(width, height), layout="constrained")


def by_resource(languages: Sequence[Language]) -> list[Language]:
    """Most resources first; within a class in the order given."""
    return sorted(languages, key=lambda language: list(Resource).index(language.resource))


def note(figure: Figure, text: str) -> None:
    """A small line below the figure, such as the metric's signature."""
    characters = int(figure.get_figwidth() * 23)
    figure.supxlabel(textwrap.fill(text, characters, break_on_hyphens=False), fontsize=5.5, color=NEUTRAL)


def legend_below(axes: Axes) -> None:
    """The legend under the axis label, where names of any length cover no data."""
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.23), borderaxespad=0)


def mark_classes(axes: Axes, languages: Sequence[Language], size: float, axis: str = "y") -> None:
    """Label rows (or columns, ``axis="x"``) with language codes, and each class with its letter and a line.

    Languages are in the order of :func:`by_resource`, one cell each; ``size`` is that of the text in points.
    """
    labels = axes.get_yticklabels() if axis == "y" else axes.get_xticklabels()
    for label, language in zip(labels, languages, strict=True):
        label.set(color=CLASS_COLOURS[language.resource], fontsize=size)
    # The codes' extent is known only once drawn; seven tenths of their size per letter is ample.
    beyond = 5 + 0.7 * size * max(len(language.code) for language in languages)
    start = 0
    for resource, members in groupby(languages, key=lambda language: language.resource):
        end = start + len(list(members))
        _mark(axes, resource, (start + 0.15, end - 0.15), beyond, size, axis)
        start = end


def separate_classes(axes: Axes, languages: Sequence[Language], axis: str = "y") -> None:
    """A white line between the last language of a class and the first of the next."""
    for number, (before, after) in enumerate(pairwise(languages), start=1):
        if before.resource is not after.resource:
            draw = axes.axhline if axis == "y" else axes.axvline
            draw(number, color="white", linewidth=1.5)


def _mark(
    axes: Axes, resource: Resource, span: tuple[float, float], beyond: float, size: float, axis: str
) -> None:
    """A line along ``span`` (in cells), ``beyond`` points outside the axes, and the class's letter."""
    colour = CLASS_COLOURS[resource]
    vertical = axis == "y"
    edge = axes.get_yaxis_transform() if vertical else axes.get_xaxis_transform()

    def outside(points: float) -> Transform:
        shift = (-points, 0) if vertical else (0, -points)
        return offset_copy(edge, axes.figure, *shift, units="points")

    xs, ys = ((0, 0), span) if vertical else (span, (0, 0))
    axes.add_artist(Line2D(xs, ys, color=colour, linewidth=1.2, transform=outside(beyond), clip_on=False))
    axes.text(
        sum(xs) / 2,
        sum(ys) / 2,
        resource.letter,
        transform=outside(beyond + 3),
        ha="right" if vertical else "center",
        va="center" if vertical else "top",
        color=colour,
        fontsize=size,
        fontweight="bold",
    )
