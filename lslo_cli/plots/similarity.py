"""The figure of relatives: the similarity of languages' updates, as a matrix beside a tree."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.cluster import hierarchy

from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.method.languages import Language
from lslo_cli.plots.maps import draw_cells, draw_scale
from lslo_cli.plots.overlap import Overlap, overlap_of
from lslo_cli.plots.reading import estimates
from lslo_cli.plots.runs import Seeds
from lslo_cli.plots.specs import PreparedFigure
from lslo_cli.plots.style import (
    PAGE_WIDTH,
    SMALL,
    TEXT,
    Look,
    Style,
    figure_of,
    new_figure,
    note,
    styled,
    title,
)
from lslo_cli.plots.text import TextFigure, TextSpan, coloured, line, remark

NEAREST = 3
"""The number of other languages in a line of text."""


@styled
def relatives(
    results: Sequence[SubspaceResult],
    languages: Sequence[Language],
    *,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Languages x languages, each cell the cosine of their updates, beside the tree that orders them.

    Codes have the colour of their resource class. Several results give their mean. Raises InputError as
    :func:`lslo_cli.plots.overlap.overlap_of` does.
    """
    overlap, look = overlap_of(results, languages), style.look
    count = len(languages)
    size = TEXT if count <= 16 else SMALL
    row_height = max(0.115, min(0.2, 0.6 * width / count))
    figure = new_figure(look, width, count * row_height + 1.05)
    grid = figure.add_gridspec(
        2, 2, width_ratios=[1, 2.6], height_ratios=[count * row_height, 0.09], wspace=0.02
    )
    scale = TwoSlopeNorm(0.0, *overlap.limits)
    _draw_tree(figure.add_subplot(grid[0, 0]), overlap, look)
    matrix = figure.add_subplot(grid[0, 1])
    _draw_matrix(matrix, overlap, look, scale, size)
    draw_scale(figure.add_subplot(grid[1, :]), look, scale, "Cosine of the updates of two languages")
    note(figure, look, overlap.description)
    title(figure, look, "Similarity of languages' updates")
    figure.draw_without_rendering()
    if matrix.get_window_extent().width / figure.dpi < count * SMALL / 72:
        matrix.set_xticks([])  # labels would overlap; columns are in the order of the rows
    return figure


def _draw_tree(axes: Axes, overlap: Overlap, look: Look) -> None:
    """The tree, with its leaves beside the rows of the matrix; branches join at their mean cosine."""
    drawn = hierarchy.dendrogram(overlap.tree, no_plot=True)
    joins = 1 - overlap.tree[:, 2]
    # A leaf's cosine with itself is 1, far from any join: its branch ends a little beyond the joins instead.
    edge = joins.max() + 0.12 * (joins.max() - joins.min())
    for positions, distances in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        xs = [1 - distance if distance else edge for distance in distances]
        axes.plot(xs, [position / 10 for position in positions], color=look.ink, linewidth=0.8, clip_on=False)
    axes.set_ylim(len(overlap.languages), 0)
    axes.margins(x=0.02)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(1 if figure_of(axes).get_figwidth() < 5 else 3))
    axes.set_xlabel("Cosine")


def _draw_matrix(axes: Axes, overlap: Overlap, look: Look, scale: TwoSlopeNorm, size: float) -> None:
    """The matrix, with the row of each language labelled by code and family."""
    draw_cells(axes, overlap.cosines, scale, look, size, angle=90)
    axes.yaxis.tick_right()
    axes.tick_params(axis="y", labelrotation=0, length=0)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, language in zip(labels, overlap.languages, strict=True):
            label.set_color(look.classes[language.resource])
    names = [f"{each.code}  {each.family}".strip() for each in overlap.languages]
    axes.set_yticklabels(names)


def relatives_text(results: Sequence[SubspaceResult], languages: Sequence[Language]) -> TextFigure:
    """A line for every language in the order of the tree: the most similar languages, with their cosines.

    Raises InputError as :func:`relatives` does.
    """
    overlap = overlap_of(results, languages)
    margin = 1 + max(len(language.code) for language in languages)
    family = 1 + max(len(language.family) for language in languages)
    lines = []
    for language in overlap.languages:
        spans = [TextSpan(language.code.ljust(margin) + language.family.ljust(family))]
        for code, cosine in overlap.nearest(language.code)[:NEAREST]:
            cell = f" {code.ljust(margin)}{cosine:+.3f} "
            spans += [TextSpan(" "), coloured(cell, cosine, overlap.limits, Style.SCREEN.look.demand)]
        lines.append(spans)
    return TextFigure([*lines, line(), *remark(overlap.description)])


def prepare_relatives(seeds: Seeds) -> PreparedFigure:
    """The figure, from subspace.json."""
    artifacts = estimates(seeds, lambda seed: seed.subspace, SubspaceResult)
    results = [artifact.result for artifact in artifacts]
    languages = [record.language() for record in artifacts[0].languages]
    return PreparedFigure(
        "relatives",
        "Similarity of languages' updates: cosines, and the tree that joins the most similar first.",
        partial(relatives, results, languages),
        partial(relatives_text, results, languages),
    )
