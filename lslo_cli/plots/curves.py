"""Figures by layer or by epoch (paper, figures 1 and 3, eq. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.sites import Stack
from lslo_cli.method.strategy import Index
from lslo_cli.plots.progress import (
    PlottedLine,
    QualityByEpoch,
    quality_by_epoch,
    ratios_by_epoch,
    weights_by_layer,
)
from lslo_cli.plots.reading import check_curves_alike, estimates, trained, trainings
from lslo_cli.plots.runs import FIGURE_3, Seeds, in_study_order, study_runs
from lslo_cli.plots.specs import PreparedFigure
from lslo_cli.plots.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    Look,
    Mark,
    Style,
    balanced_height,
    legend_below,
    legend_label,
    level_with_legends,
    lines_of,
    new_figure,
    note,
    styled,
    title,
)
from lslo_cli.plots.text_bars import epochs_text, schedule_text, weights_text
from lslo_cli.wording import Command

STACK_STYLES: dict[Stack, dict[str, Any]] = {
    Stack.ENCODER: {"linestyle": "-", "marker": "o"},
    Stack.DECODER: {"linestyle": (0, (3, 1.5)), "marker": "s"},
}
LEGIBLE = 8
"""The most curves in one panel that can be told apart."""


@styled
def weights(
    results: Sequence[IndexStrategyResult], *, width: float = COLUMN_WIDTH, style: Style = Style.PAPER
) -> Figure:
    """Source and target weight of every layer, encoder and decoder (figure 1). A layer's two sum to 1.

    Several results, as of several seeds, are drawn as their mean, with a band from the lowest to the highest.
    Raises InputError if their models have different layers.
    """
    look = style.look
    figure = new_figure(look, width, 2.3)
    axes = figure.subplots()
    axes.axhline(0.5, color=look.neutral, linewidth=0.6, linestyle=":")
    by_layer = weights_by_layer(results)
    for stack, line in STACK_STYLES.items():
        numbers = [layer.number for layer in by_layer if layer.stack is stack]
        source = np.array([values for layer, values in by_layer.items() if layer.stack is stack])
        sides = {Index.SOURCE: source, Index.TARGET: 1 - source}
        for (side, values), colour in zip(sides.items(), look.series, strict=False):
            axes.plot(numbers, values.mean(axis=1), color=colour, label=f"{stack} {side}", **line)
            _draw_band(axes, numbers, values.T, colour)
    axes.set(xlabel="Layer", ylabel="Weight")
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    legend_below(axes, columns=2 if width < 5 else 4)
    title(figure, look, "Source and target weight by layer")
    if len(results) > 1:
        note(figure, look, f"mean and range of {len(results)} seeds")
    return figure


@styled
def epochs(
    runs: Sequence[TrainingResult],
    *,
    groups: Sequence[str] = (),
    study: Sequence[str] = (),
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """spBLEU of groups by epoch, one panel for each group, with the base model as a dashed line (figure 3).

    Without ``groups``, of those of figure 3 that all runs recorded, or of all that they share.
    Runs of one name, such as those of several seeds, are one line: their mean, with a band from the lowest to
    the highest. Lines that coincide are drawn once, with all their names. The legend gives every line's value
    after the last epoch. ``study`` names all runs of the study, whose order gives each its mark. Raises
    InputError if a run has no curve or lacks a group, or if runs were scored differently.
    """
    look = style.look
    quality = quality_by_epoch(runs, groups)
    groups = quality.groups
    marks = look.marks(study or in_study_order(run.run for run in runs))
    columns = min(len(groups), 2) if width >= 5 else 1
    shape = (-(-len(groups) // columns), columns)
    inches = width / columns
    lines = {group: quality.lines(group) for group in groups}
    labels = [[legend_label(line.names, line.last, inches) for line in lines[group]] for group in groups]
    height, legend = balanced_height(1.8, max((["base", *each] for each in labels), key=lines_of))
    figure = new_figure(look, width, shape[0] * (height + legend) + 0.3)
    panels = list(figure.subplots(*shape, squeeze=False).flat)
    for axes, group in zip(panels, groups, strict=False):
        _draw_group(axes, look, group, quality, lines[group], marks, inches)
    for empty in panels[len(groups) :]:
        empty.remove()
    note(figure, look, quality.description)
    title(figure, look, "Quality by epoch")
    level_with_legends(figure, shape[0])
    return figure


@styled
def schedule(
    runs: Sequence[TrainingResult | SubspaceResult],
    *,
    study: Sequence[str] = (),
    width: float = COLUMN_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """The fraction to prune in every epoch (eq. 4), and rings at the fraction of zeros at the end.

    Runs with the same schedule are one line, with all their names. ``study`` is that of :func:`epochs`.
    Raises InputError if a run pruned nothing.
    """
    look = style.look
    drawn = ratios_by_epoch(runs)
    names = [name for ratios in drawn for name in ratios.names]
    marks = look.marks([*study, *in_study_order(names)])
    labels = [legend_label(each.names, f"{each.target:g} ({each.counted})", width) for each in drawn]
    height, legend = balanced_height(1.7, labels)
    figure = new_figure(look, width, height + legend + 0.6)
    axes = figure.subplots()
    for ratios, label in zip(drawn, labels, strict=True):
        mark = marks[ratios.names[0]]
        axes.plot(
            list(ratios.planned), list(ratios.planned.values()), color=mark.colour, marker=mark.marker,
            markerfacecolor=mark.face, linestyle=mark.dashes, label=label,
        )  # fmt: skip
        axes.plot(
            max(ratios.planned), np.mean(ratios.measured), marker="o", markersize=8, markerfacecolor="none",
            color=mark.colour, linestyle="", zorder=3, clip_on=False,
        )  # fmt: skip
    axes.set(xlabel="Epoch", ylabel="Fraction pruned", ylim=(-0.03, 1.05))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(axes)
    title(figure, look, "Pruning schedule")
    note(figure, look, "target; in brackets and as a ring, the fraction of zeros after the last epoch")
    level_with_legends(figure)
    return figure


def prepare_weights(seeds: Seeds) -> PreparedFigure:
    """Figure 1, from index-strategy.json."""
    learned = estimates(seeds, lambda seed: seed.index_strategy, IndexStrategyResult)
    results = [artifact.result for artifact in learned]
    return PreparedFigure(
        "weights",
        "Source and target weights learned for each layer of encoder and decoder (figure 1).",
        partial(weights, results),
        partial(weights_text, results),
    )


def prepare_epochs(seeds: Seeds, names: Sequence[str] = ()) -> PreparedFigure:
    """Figure 3, from runs/RUN/training.json.

    Without ``names``, of the runs that recorded quality by epoch, or if these are too many to tell apart, of
    those in the paper's figure.
    """
    found, remark = trained(seeds, names), ""
    if not names:
        found = [each for each in found if each.result.curve]
    recorded = {each.result.run for each in found}
    if not names and len(recorded) > LEGIBLE and recorded & set(FIGURE_3):
        found = [each for each in found if each.result.run in FIGURE_3]
        remark = f"{len(recorded)} runs have quality by epoch: drawing those of figure 3; --run names others"
    check_curves_alike(found)
    drawn = [each.result for each in found]
    return PreparedFigure(
        "epochs",
        "spBLEU of groups of directions after each epoch (figure 3).",
        partial(epochs, drawn, study=study_runs(seeds)),
        partial(epochs_text, drawn),
        remark,
    )


def prepare_schedule(seeds: Seeds, names: Sequence[str] = ()) -> PreparedFigure:
    """Eq. 4, from runs/RUN/training.json; without ``names``, of the runs that were pruned.

    Raises InputError if none was.
    """
    runs = trainings(seeds, names)
    drawn = runs if names else [run for run in runs if run.target_ratio]
    if not drawn:
        raise InputError(
            f"no run in {seeds[0].path / 'runs'} was pruned", "train one", Command("train", "--gps", "0.9")
        )
    return PreparedFigure(
        "schedule",
        "The fraction to prune in each epoch (eq. 4), and the zeros counted at the end.",
        partial(schedule, drawn, study=study_runs(seeds)),
        partial(schedule_text, drawn),
    )


def _draw_band(axes: Axes, positions: Sequence[int], values: np.ndarray, colour: str) -> None:
    """The range of several rows of ``values``; nothing for one row."""
    if len(values) > 1:
        lowest, highest = values.min(axis=0), values.max(axis=0)
        axes.fill_between(positions, lowest, highest, color=colour, alpha=0.15, linewidth=0)


def _draw_group(
    axes: Axes,
    look: Look,
    group: str,
    quality: QualityByEpoch,
    lines: Sequence[PlottedLine],
    marks: dict[str, Mark],
    inches: float,
) -> None:
    for line in lines:
        mark = marks[line.names[0]]
        axes.plot(
            line.epochs, line.values.mean(axis=0), color=mark.colour, marker=mark.marker,
            markerfacecolor=mark.face, linestyle=mark.dashes,
            label=legend_label(line.names, line.last, inches),
        )  # fmt: skip
        _draw_band(axes, line.epochs, line.values, mark.colour)
    base = quality.base(group)
    if base is not None:
        mean = float(np.mean(base))
        label = f"base  {mean:.2f}"
        axes.axhline(mean, color=look.neutral, linewidth=0.9, linestyle="--", label=label)
    axes.set(xlabel="Epoch", ylabel="spBLEU")
    axes.set_title(group, loc="left", fontweight="bold")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(axes)
