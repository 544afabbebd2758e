"""Heatmaps of demand (paper, figures 2, 4, 5 and 6): one scale for all panels, zero in its middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import seaborn
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.artifacts.schema import Artifact
from lslo_cli.method.languages import Language
from lslo_cli.plots.classes import mark_classes, separate_classes
from lslo_cli.plots.demand import Demand, by_resource, of_languages, of_matrices
from lslo_cli.plots.reading import estimates
from lslo_cli.plots.runs import Seeds
from lslo_cli.plots.specs import PreparedFigure
from lslo_cli.plots.style import (
    PAGE_HEIGHT,
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
from lslo_cli.plots.text import TextFigure
from lslo_cli.plots.text_maps import heatmap_text, matrices_text


@styled
def heatmap(
    results: Sequence[SubspaceResult],
    languages: Sequence[Language],
    *,
    by_layer: bool = False,
    counts: bool = False,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Languages x matrices, averaged over layers (figure 2), or one map for each layer (figure 5).

    Cells are percentage points of a matrix, or with ``counts`` entries of B, as in the paper. Several results
    give their mean. Raises InputError for an estimate that pruned each language alone.
    """
    demand = of_languages(results, languages, by_layer, counts)
    ordered = by_resource(languages)

    def mark_rows(axes: Axes, size: float, labelled: bool) -> None:
        separate_classes(axes, style.look, ordered)
        if labelled:
            mark_classes(axes, style.look, ordered, size)

    figure = _draw(demand, width, style.look, mark_rows)
    title(figure, style.look, "Parameter demand of each language" + (", by layer" if by_layer else ""))
    return figure


@styled
def matrices(
    results: Sequence[SubspaceResult],
    languages: Sequence[Language],
    *,
    by_language: bool = False,
    counts: bool = False,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Layers x matrices, averaged over languages (figure 4), or one map for each language (figure 6).

    Cells and means are those of :func:`heatmap`. Raises InputError for an estimate with one pool per matrix.
    """
    demand = of_matrices(results, languages, by_language, counts)

    def mark_rows(axes: Axes, size: float, labelled: bool) -> None:
        if labelled:
            axes.set_ylabel("Layer", fontsize=size)

    figure = _draw(demand, width, style.look, mark_rows)
    title(figure, style.look, "Parameter demand of each matrix" + (", by language" if by_language else ""))
    return figure


BAR = 0.09
"""Inches of the colour scale's height."""


@dataclass(frozen=True)
class MapLayout:
    """The layout of pairs of panels: how many are side by side, and the height and font size of a row."""

    across: int
    row_height: float
    text: float
    angle: int

    @classmethod
    def of(cls, pairs: int, rows: int, columns: int, width: float) -> MapLayout:
        """Small multiples have cells of at least 0.08 inches, in which a line of small text is legible.

        At most four are side by side, as in the paper, unless they would exceed the page's height, for which
        the rows of a single pair are lowered as far as they stay legible.
        """
        room = (width - 0.6) / (columns + 1)
        if pairs == 1:
            row_height = max(0.087, min(0.155, (PAGE_HEIGHT - 1.15) / rows))
            text = TEXT if row_height > TEXT / 72 else SMALL
            return cls(1, row_height, text, angle=0 if room > 0.27 else 90)
        row_height = 0.087 if rows > 6 else 0.115
        fit = max(1, min(pairs, int(room / 0.08)))
        across = min(fit, 4)
        if -(-pairs // across) * (rows * row_height + 0.2) + 0.9 > PAGE_HEIGHT:
            across = fit
        return cls(across, row_height, text=SMALL, angle=90)


def _draw(demand: Demand, width: float, look: Look, mark_rows: Callable[[Axes, float, bool], None]) -> Figure:
    """Draw pairs of panels in rows, all on one colour scale with zero in its middle."""
    pairs, scale = demand.pairs, scale_of(demand)
    columns = [len(frame.columns) for frame in pairs[0].panels.values()]
    rows = len(next(iter(pairs[0].panels.values())))
    layout = MapLayout.of(len(pairs), rows, sum(columns), width)
    across, down = layout.across, -(-len(pairs) // layout.across)
    height = down * (rows * layout.row_height + 0.2) + (0.85 if width > 5 else 0.95)
    figure = new_figure(look, width, height, between=0.03 if len(pairs) == 1 else 0.012)
    ratios = ([*columns, 1] * across)[:-1]  # one cell's width between a decoder and the next pair's encoder
    heights = [rows * layout.row_height] * down + [BAR]
    grid = figure.add_gridspec(down + 1, len(ratios), width_ratios=ratios, height_ratios=heights, wspace=0)
    for number, pair in enumerate(pairs):
        row, column = divmod(number, across)
        is_lowest = number + across >= len(pairs)
        for offset, (stack, frame) in enumerate(pair.panels.items()):
            axes = figure.add_subplot(grid[row, 3 * column + offset])
            labelled = column == 0 and offset == 0
            draw_cells(axes, frame, scale, look, layout.text, layout.angle, labelled, is_lowest)
            axes.set_xlabel(stack.capitalize() if is_lowest else "", fontsize=layout.text)
            if offset == 0:
                axes.set_title(pair.title, loc="left", fontsize=layout.text, pad=2)
            mark_rows(axes, layout.text, labelled)
    draw_scale(figure.add_subplot(grid[-1, :]), look, scale, f"{demand.unit} kept beyond the target share")
    note(figure, look, demand.description)
    return figure


def draw_cells(
    axes: Axes,
    frame: DataFrame,
    scale: TwoSlopeNorm,
    look: Look,
    text: float,
    angle: int,
    label_rows: bool = True,
    label_columns: bool = True,
) -> None:
    """A frame as cells; ``text`` is the labels' size in points, ``angle`` the column labels' in degrees."""
    axes.set_facecolor(look.missing)
    seaborn.heatmap(
        frame, ax=axes, cmap=look.demand, norm=scale, vmin=scale.vmin, vmax=scale.vmax, cbar=False,
        linewidths=0.2, linecolor=look.ground, xticklabels=label_columns, yticklabels=label_rows,
    )  # fmt: skip
    axes.tick_params(length=0, pad=1.5, labelsize=text)
    axes.tick_params(axis="x", labelrotation=angle)
    axes.tick_params(axis="y", labelrotation=0)


def draw_scale(axes: Axes, look: Look, scale: TwoSlopeNorm, label: str) -> None:
    """The colour scale: both halves have one length, so steps below and above zero may differ in width."""
    figure = figure_of(axes)
    steps = 2 if figure.get_figwidth() < 5 else 4
    lowest, highest = cast(float, scale.vmin), cast(float, scale.vmax)
    below, above = (MaxNLocator(steps).tick_values(*ends) for ends in ((lowest, 0), (0, highest)))
    ticks = [tick for tick in dict.fromkeys((*below, *above)) if lowest <= tick <= highest]
    bar = figure.colorbar(ScalarMappable(scale, look.demand), cax=axes, orientation="horizontal", ticks=ticks)
    bar.set_label(label)
    bar.minorticks_off()
    bar.outline.set_visible(False)


def scale_of(demand: Demand) -> TwoSlopeNorm:
    """From values to colours: the lowest and the highest value have the ends of the colour map.

    The pruned share can fall below its target by less than it can exceed it, so each side of zero has its
    own slope.
    """
    lowest, highest = demand.limits
    return TwoSlopeNorm(0.0, lowest, highest)


def prepare_heatmap(seeds: Seeds, *, by_layer: bool = False, counts: bool = False) -> PreparedFigure:
    """Figure 2, from subspace.json."""
    artifacts = estimates(seeds, lambda seed: seed.subspace, SubspaceResult)
    return PreparedFigure(
        "heatmap-by-layer" if by_layer else "heatmap",
        "Parameter demand of each language in each kind of matrix, "
        + ("layer by layer (figure 5)." if by_layer else "averaged over layers (figure 2)."),
        *_drawn(artifacts, heatmap, heatmap_text, by_layer=by_layer, counts=counts),
    )


def prepare_heatmap_by_layer(seeds: Seeds, *, counts: bool = False) -> PreparedFigure:
    """Figure 5, from subspace.json."""
    return prepare_heatmap(seeds, by_layer=True, counts=counts)


def prepare_matrices(seeds: Seeds, *, by_language: bool = False, counts: bool = False) -> PreparedFigure:
    """Figure 4, from subspace-language.json, or from subspace.json if a seed lacks it."""
    missing, remark = [seed for seed in seeds if not seed.language_subspace.exists()], ""
    if missing:
        remark = (
            f"no {missing[0].language_subspace}: drawing the cross-language estimate, {seeds[0].subspace}"
        )
    artifacts = estimates(
        seeds, lambda seed: seed.subspace if missing else seed.language_subspace, SubspaceResult
    )
    return PreparedFigure(
        "matrices-by-language" if by_language else "matrices",
        "Parameter demand of each matrix of each layer, "
        + ("language by language (figure 6)." if by_language else "averaged over languages (figure 4)."),
        *_drawn(artifacts, matrices, matrices_text, by_language=by_language, counts=counts),
        remark,
    )


def prepare_matrices_by_language(seeds: Seeds, *, counts: bool = False) -> PreparedFigure:
    """Figure 6, from the artifacts of figure 4."""
    return prepare_matrices(seeds, by_language=True, counts=counts)


def _drawn(
    artifacts: Sequence[Artifact[SubspaceResult]],
    draw: Callable[..., Figure],
    draw_text: Callable[..., TextFigure],
    **choices: bool,
) -> tuple[Callable[..., Figure], Callable[[], TextFigure]]:
    """The estimates of all seeds as a prepared figure, for matplotlib and for a terminal."""
    results = [artifact.result for artifact in artifacts]
    languages = [record.language() for record in artifacts[0].languages]
    return partial(draw, results, languages, **choices), partial(draw_text, results, languages, **choices)
