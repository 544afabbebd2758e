"""Label rows and columns of languages with their resource classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import Transform, offset_copy

from lslo_cli.method.languages import Language
from lslo_cli.plots.style import Look, figure_of


def mark_classes(
    axes: Axes, look: Look, languages: Sequence[Language], size: float, axis: str = "y", stagger: bool = False
) -> None:
    """Label rows (or columns, ``axis="x"``) with language codes, and each class with its letter and a line.

    Languages are in the order of their resources, one cell each; ``size`` is the font size in points.
    ``stagger`` puts every second code further out, for cells lower than a line of text.
    """
    longest = max(len(language.code) for language in languages)
    step = "  " * longest if stagger else ""  # two spaces are about as wide as a letter
    codes = [language.code + step * (number % 2) for number, language in enumerate(languages)]
    labels = axes.set_yticklabels(codes) if axis == "y" else axes.set_xticklabels(codes)
    for label, language in zip(labels, languages, strict=True):
        label.set(color=look.classes[language.resource], fontsize=size)
    # The codes' extent is known only once drawn; 0.7 of the font size per letter is enough.
    length = size * longest * (2 if stagger else 1)
    beyond = 5 + 0.7 * length
    (axes.yaxis if axis == "y" else axes.xaxis).labelpad = beyond + size + 4 - 0.5 * length
    start = 0
    for resource, members in groupby(languages, key=lambda language: language.resource):
        end = start + len(list(members))
        span = (start + 0.15, end - 0.15)
        _mark(axes, look.classes[resource], resource.letter, span, beyond, size, axis)
        start = end


def separate_classes(axes: Axes, look: Look, languages: Sequence[Language], axis: str = "y") -> None:
    """A gap between the last language of a class and the first of the next."""
    for number, (before, after) in enumerate(pairwise(languages), start=1):
        if before.resource is not after.resource:
            draw = axes.axhline if axis == "y" else axes.axvline
            draw(number, color=look.ground, linewidth=1.5)


def _mark(
    axes: Axes, colour: str, letter: str, span: tuple[float, float], beyond: float, size: float, axis: str
) -> None:
    """A line along ``span`` (in cells), ``beyond`` points outside the axes, and the class's letter."""
    vertical = axis == "y"
    edge = axes.get_yaxis_transform() if vertical else axes.get_xaxis_transform()

    def outside(points: float) -> Transform:
        x, y = (-points, 0.0) if vertical else (0.0, -points)
        return offset_copy(edge, figure_of(axes), x, y, units="points")

    xs, ys = ((0, 0), span) if vertical else (span, (0, 0))
    axes.add_artist(Line2D(xs, ys, color=colour, linewidth=1.2, transform=outside(beyond), clip_on=False))
    axes.text(
        sum(xs) / 2,
        sum(ys) / 2,
        letter,
        transform=outside(beyond + 3),
        ha="right" if vertical else "center",
        va="center" if vertical else "top",
        color=colour,
        fontsize=size,
        fontweight="bold",
    )
