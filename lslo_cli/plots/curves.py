"""What changes by layer or by epoch, as figures (paper, figures 1 and 3, eq. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.method.sites import Stack
from lslo_cli.method.strategy import Index
from lslo_cli.plots.progress import GROUPS, QualityByEpoch, quality_by_epoch, ratios_by_epoch
from lslo_cli.plots.style import (
    COLUMN_WIDTH,
    DASHES,
    MARKERS,
    PAGE_WIDTH,
    Look,
    Style,
    fitted,
    legend_below,
    new_figure,
    note,
    styled,
    title,
)

STACK_STYLES = {
    Stack.ENCODER: {"linestyle": "-", "marker": "o"},
    Stack.DECODER: {"linestyle": (0, (3, 1.5)), "marker": "s"},
}


@styled
def weights(
    result: IndexStrategyResult, *, width: float = COLUMN_WIDTH, style: Style = Style.PAPER
) -> Figure:
    """Source and target weight of every layer, encoder and decoder (figure 1). A layer's sum to 1."""
    look = style.look
    figure = new_figure(look, width, 2.3)
    axes = figure.subplots()
    axes.axhline(0.5, color=look.neutral, linewidth=0.6, linestyle=":")
    colours = dict(zip((Index.SOURCE, Index.TARGET), look.series, strict=False))
    for stack, line in STACK_STYLES.items():
        pairs = {layer.number: pair for layer, pair in result.weights().items() if layer.stack is stack}
        for side, colour in colours.items():
            values = [getattr(pair, f"{side}_weight") for pair in pairs.values()]
            axes.plot(list(pairs), values, color=colour, label=f"{stack} {side}", **line)
    axes.set(xlabel="Layer", ylabel="Weight")
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    legend_below(axes, columns=2 if width < 5 else 4)
    title(figure, look, "Which side selects the adapter")
    return figure


@styled
def epochs(
    runs: Sequence[TrainingResult],
    *,
    groups: Sequence[str] = GROUPS,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """spBLEU of groups by epoch, one panel for each group, with the base model as a dashed line (figure 3).

    Runs of one name, such as those of several seeds, are one line: their mean, in a band from the lowest to
    the highest. Every line stands in the legend with its value after the last epoch. Raises InputError where
    a run has no curve or not these groups, or where runs were scored differently.
    """
    quality = quality_by_epoch(runs, groups)
    beside = width >= 5
    panels = 1 if beside else len(groups)
    legend_height = 0.13 * (len(quality.lines(groups[0])) + 1)
    figure = new_figure(style.look, width, panels * (1.8 + legend_height) + 0.3)
    shape = (1, len(groups)) if beside else (len(groups), 1)
    for axes, group in zip(figure.subplots(*shape, squeeze=False).flat, groups, strict=True):
        _draw_group(axes, style.look, group, quality, width / shape[1])
    note(figure, style.look, quality.description)
    title(figure, style.look, "Quality by epoch")
    return figure


@styled
def schedule(
    runs: Sequence[TrainingResult | SubspaceResult],
    *,
    width: float = COLUMN_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """The fraction to prune in every epoch (eq. 4), and rings at what is pruned at the end, as counted.

    Runs with the same schedule lie on one line. Raises InputError where a run pruned nothing.
    """
    look = style.look
    drawn = ratios_by_epoch(runs)
    figure = new_figure(look, width, 1.9 + 0.13 * len(drawn))
    axes = figure.subplots()
    for ratios, colour, marker, dashes in _looks(drawn, look):
        axes.plot(
            list(ratios.planned), list(ratios.planned.values()), color=colour, marker=marker,
            linestyle=dashes, label=fitted(ratios.name, f"{ratios.target:g} ({ratios.measured:.4f})", width),
        )  # fmt: skip
        axes.plot(
            max(ratios.planned), ratios.measured, marker="o", markersize=8, markerfacecolor="none",
            color=colour, linestyle="", zorder=3, clip_on=False,
        )  # fmt: skip
    axes.set(xlabel="Epoch", ylabel="Fraction pruned", ylim=(-0.03, 1.05))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(axes)
    title(figure, look, "Pruning schedule")
    note(figure, look, "target, and in brackets and as a ring what is zero after the last epoch")
    return figure


def _looks(items: Sequence, look: Look) -> zip:
    """Items with the colour, marker and dashes that tell each from the ones beside it."""
    return zip(items, cycle(look.series), cycle(MARKERS), cycle(DASHES), strict=False)


def _draw_group(axes: Axes, look: Look, group: str, quality: QualityByEpoch, inches: float) -> None:
    for line, colour, marker, dashes in _looks(quality.lines(group), look):
        mean = line.values.mean(axis=0)
        label = fitted(line.name, line.last, inches)
        axes.plot(line.epochs, mean, color=colour, marker=marker, linestyle=dashes, label=label)
        if len(line.values) > 1:
            lowest, highest = line.values.min(axis=0), line.values.max(axis=0)
            axes.fill_between(line.epochs, lowest, highest, color=colour, alpha=0.15, linewidth=0)
    base = quality.base(group)
    if base is not None:
        label = f"base  {np.mean(base):.2f}"
        axes.axhline(np.mean(base), color=look.neutral, linewidth=0.9, linestyle="--", label=label)
    axes.set(xlabel="Epoch", ylabel="spBLEU")
    axes.set_title(group, loc="left", fontweight="bold")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(axes)
