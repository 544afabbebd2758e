"""Demand maps: how much room each language and each matrix needs (paper, figures 2, 4, 5 and 6).

Demand is the negative of eq. 6: entries of B that pruning kept beyond the share it was to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame, Series

from lslo_cli.artifacts.results import SubspaceResult
from lslo_cli.errors import InputError
from lslo_cli.method.importance import Pool, PrunedMatrix, mean_demand, mean_demand_by_layer
from lslo_cli.method.languages import Language
from lslo_cli.method.sites import KINDS, Kind, Stack
from lslo_cli.plots.style import (
    MISSING,
    PAGE_WIDTH,
    by_resource,
    mark_classes,
    new_figure,
    note,
    separate_classes,
    styled,
)

COLOURS = "RdBu_r"
"""Blue where little room is needed, white at zero, red where much is."""

POOLS = {
    Pool.LAYER: "all languages and matrices of a layer",
    Pool.LAYER_KIND: "all languages of a matrix",
    Pool.LANGUAGE: "all matrices of a language",
}


@dataclass(frozen=True)
class Pair:
    """The two panels of one map: rows x kinds of matrices, for the encoder and for the decoder."""

    title: str
    panels: Mapping[Stack, DataFrame]


@styled
def heatmap(
    result: SubspaceResult,
    languages: Sequence[Language],
    *,
    by_layer: bool = False,
    width: float = PAGE_WIDTH,
) -> Figure:
    """Languages x matrices, averaged over layers (figure 2), or one map for each layer (figure 5).

    Raises InputError for an estimate that pruned each language alone.
    """
    check_cross_language(result)
    everything = list(result.pruned.matrices("B"))
    languages = by_resource(languages)
    codes = [language.code for language in languages]
    parts = {"": everything}
    if by_layer:
        numbers = sorted({matrix.site.layer.number for matrix in everything})
        parts = {f"Layer {n}": [m for m in everything if m.site.layer.number == n] for n in numbers}
    kinds = _kinds(everything)
    pairs = []
    for title, part in parts.items():
        demand = {stack: mean_demand(part, result.target_ratio, stack) for stack in Stack}
        pairs.append(Pair(title, {stack: _frame(demand[stack], codes, kinds[stack]) for stack in Stack}))

    def mark_rows(axes: Axes, size: float, labelled: bool) -> None:
        separate_classes(axes, languages)
        if labelled:
            mark_classes(axes, languages, size)

    return _draw(pairs, width, mark_rows, _describe(result))


@styled
def matrices(
    result: SubspaceResult,
    languages: Sequence[Language],
    *,
    by_language: bool = False,
    width: float = PAGE_WIDTH,
) -> Figure:
    """Layers x matrices, averaged over languages (figure 4), or one map for each language (figure 6).

    The paper prunes each language alone for these. An estimate with one pool per layer compares the
    matrices of a layer as well, but not layers with each other, and the figure says so. Raises InputError
    for an estimate with one pool per matrix, which compares no matrices.
    """
    if result.pool is Pool.LAYER_KIND:
        raise InputError(
            "this subspace estimate pruned every matrix apart (pool layer-kind), so demand cannot be "
            "compared between matrices",
            "estimate within languages: lslo estimate-subspace --pool language",
        )
    everything = list(result.pruned.matrices("B"))
    numbers = range(1, 1 + max(matrix.site.layer.number for matrix in everything))
    parts = {"": everything}
    if by_language:
        titles = {lang.code: f"{lang.code} ({lang.resource.letter})" for lang in by_resource(languages)}
        parts = {title: [m for m in everything if m.language == code] for code, title in titles.items()}
    kinds = _kinds(everything)
    pairs = []
    for title, part in parts.items():
        demand: dict[Stack, dict[tuple[int, Kind], float]] = {stack: {} for stack in Stack}
        for (layer, kind), value in mean_demand_by_layer(part, result.target_ratio).items():
            demand[layer.stack][layer.number, kind] = value
        pairs.append(Pair(title, {stack: _frame(demand[stack], numbers, kinds[stack]) for stack in Stack}))

    def mark_rows(axes: Axes, size: float, labelled: bool) -> None:
        if labelled:
            axes.set_ylabel("Layer")

    limits = "; compare within a layer only" if result.pool is Pool.LAYER else ""
    return _draw(pairs, width, mark_rows, _describe(result) + limits)


def check_cross_language(result: SubspaceResult) -> None:
    """Raises InputError where each language was pruned alone, so that languages cannot be compared."""
    if result.pool is Pool.LANGUAGE:
        raise InputError(
            "this subspace estimate pruned each language alone (pool language), so demand cannot be compared "
            "between languages",
            "estimate across languages: lslo estimate-subspace --pool layer",
        )


def _describe(result: SubspaceResult) -> str:
    """What was pruned against what."""
    return f"{POOLS[result.pool]} pruned together, target ratio {result.target_ratio:g}"


def _kinds(matrices: Sequence[PrunedMatrix]) -> dict[Stack, list[Kind]]:
    """The kinds that carry adapters, by stack, in the column order of the paper's figures."""
    present = {(matrix.site.layer.stack, matrix.site.kind) for matrix in matrices}
    return {stack: [kind for kind in KINDS[stack] if (stack, kind) in present] for stack in Stack}


def _frame(
    demand: Mapping[tuple[str | int, Kind], float], rows: Sequence, kinds: Sequence[Kind]
) -> DataFrame:
    """Rows x kinds; NaN where the model has no such matrix."""
    if not demand:
        return DataFrame(np.nan, index=list(rows), columns=list(kinds))
    return Series(demand).unstack().reindex(index=list(rows), columns=list(kinds))


@dataclass(frozen=True)
class Layout:
    """What follows from the width: pairs side by side, inches of a row, points and angle of labels."""

    pairs_across: int
    row_height: float
    text: float
    angle: int

    @classmethod
    def of(cls, pairs: int, columns: int, width: float) -> Layout:
        """Small multiples have cells of at least 0.09 inches, where upright labels of 6 points fit."""
        room = (width - 0.7) / (columns + 1)
        if pairs == 1:
            return cls(1, row_height=0.155, text=7, angle=0 if room > 0.25 else 90)
        return cls(max(1, min(pairs, 4, int(room / 0.09))), row_height=0.095, text=6, angle=90)


def _draw(
    pairs: Sequence[Pair], width: float, mark_rows: Callable[[Axes, float, bool], None], description: str
) -> Figure:
    """Draw pairs of panels in rows, all on one colour scale that is symmetric around zero."""
    frames = [frame for pair in pairs for frame in pair.panels.values()]
    limit = max(float(np.nanmax(np.abs(frame.to_numpy()), initial=0)) for frame in frames) or 1.0
    columns = [len(frame.columns) for frame in pairs[0].panels.values()]
    layout = Layout.of(len(pairs), sum(columns), width)
    across, down = layout.pairs_across, -(-len(pairs) // layout.pairs_across)
    figure = new_figure(width, down * (len(frames[0]) * layout.row_height + 0.2) + 0.9)
    ratios = ([*columns, 1] * across)[:-1]  # one cell's width between a decoder and the next pair's encoder
    grid = figure.add_gridspec(down, len(ratios), width_ratios=ratios, wspace=0)
    everything = []
    for number, pair in enumerate(pairs):
        row, column = divmod(number, across)
        is_lowest = number + across >= len(pairs)
        for offset, (stack, frame) in enumerate(pair.panels.items()):
            axes = figure.add_subplot(grid[row, 3 * column + offset])
            labelled = column == 0 and stack is Stack.ENCODER
            _draw_panel(axes, frame, limit, layout, labelled, is_lowest)
            axes.set_xlabel(stack.capitalize() if is_lowest else "")
            if stack is Stack.ENCODER:
                axes.set_title(pair.title, loc="left", fontsize=7, pad=2)
            mark_rows(axes, layout.text, labelled)
            everything.append(axes)
    _draw_scale(figure, everything, limit)
    note(figure, description)
    return figure


def _draw_panel(
    axes: Axes, frame: DataFrame, limit: float, layout: Layout, label_rows: bool, label_columns: bool
) -> None:
    axes.set_facecolor(MISSING)
    seaborn.heatmap(
        frame, ax=axes, cmap=COLOURS, vmin=-limit, vmax=limit, cbar=False, linewidths=0.2, linecolor="white",
        xticklabels=label_columns, yticklabels=label_rows,
    )  # fmt: skip
    axes.tick_params(length=0, pad=1.5, labelsize=layout.text)
    axes.tick_params(axis="x", labelrotation=layout.angle)
    axes.tick_params(axis="y", labelrotation=0)


def _draw_scale(figure: Figure, axes: Sequence[Axes], limit: float) -> None:
    colours = ScalarMappable(Normalize(-limit, limit), COLOURS)
    ticks = MaxNLocator(4 if figure.get_figwidth() < 5 else 8)
    bar = figure.colorbar(colours, ax=axes, location="bottom", shrink=0.8, aspect=40, pad=0.01, ticks=ticks)
    bar.set_label("demand: entries of B kept beyond the target share")
    bar.outline.set_visible(False)
