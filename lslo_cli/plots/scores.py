"""What runs gain over the base model, and at what cost, as figures (paper, tables 1 to 4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import seaborn
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lslo_cli.artifacts.results import EvaluationResult, TrainingResult
from lslo_cli.plots.classes import mark_classes, separate_classes
from lslo_cli.plots.gains import costs_and_scores, gains, signed
from lslo_cli.plots.style import (
    COLUMN_WIDTH,
    MARKERS,
    PAGE_WIDTH,
    SMALL,
    TEXT,
    Style,
    fitted,
    ink_on,
    legend_below,
    new_figure,
    note,
    styled,
    title,
)


@styled
def directions(
    run: EvaluationResult,
    base: EvaluationResult,
    *,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Gain in spBLEU over ``base`` of every direction: source languages x target languages.

    Directions that either has not are grey. Raises InputError where the two share no direction or were
    scored with different metrics.
    """
    look = style.look
    gained = gains(run, base)
    cell = min((width - 0.6) / len(gained.languages), 0.5)
    size = TEXT if cell > 0.11 else SMALL
    figure = new_figure(look, width, cell * len(gained.languages) + 1.35)
    axes = figure.subplots()
    axes.set_facecolor(look.missing)
    seaborn.heatmap(
        gained.frame, ax=axes, cmap=look.gain, vmin=-gained.limit, vmax=gained.limit, square=True,
        linewidths=0.2, linecolor=look.ground, xticklabels=True, yticklabels=True,
        annot=gained.frame.map(signed) if cell > 0.35 else None, fmt="", annot_kws={"fontsize": SMALL + 0.5},
        cbar_kws={"location": "bottom", "shrink": 0.6, "aspect": 40, "pad": 0.01, "label": "gain in spBLEU"},
    )  # fmt: skip
    for text in axes.texts:
        column, row = map(int, text.get_position())
        share = gained.frame.iat[row, column] / gained.limit
        text.set_color(ink_on(look.gain((1 + share) / 2)))
    axes.tick_params(length=0, pad=1.5)
    axes.tick_params(axis="x", labelrotation=90)
    axes.tick_params(axis="y", labelrotation=0)
    for axis in "yx":
        separate_classes(axes, look, gained.languages, axis)
        mark_classes(axes, look, gained.languages, size, axis, stagger=cell < 0.1)
    axes.set_xlabel("Target")
    axes.set_ylabel("Source")
    axes.set_title(f"{run.run} over {base.run}", loc="left")
    note(figure, look, run.spbleu_signature)
    title(figure, look, "Gain over the base model")
    return figure


@styled
def pareto(
    evaluations: Sequence[EvaluationResult],
    trainings: Sequence[TrainingResult],
    *,
    width: float = COLUMN_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Trainable parameters against average spBLEU; a line joins the runs that no cheaper run equals.

    A run without a training result, such as the base model, trains nothing and is a dashed line. Raises
    InputError where no run was trained or the metrics differ.
    """
    look = style.look
    runs = costs_and_scores(evaluations, trainings)
    figure = new_figure(look, width, 1.9 + 0.13 * len(evaluations))
    axes = figure.subplots()
    for run, colour, marker in zip(runs.trained, cycle(look.series), cycle(MARKERS), strict=False):
        axes.plot(
            run.parameters, run.score, color=colour, marker=marker, markersize=5, linestyle="",
            label=fitted(run.name, f"{run.score:.2f} ({_short(run.parameters)})", width),
        )  # fmt: skip
    axes.plot(
        [run.parameters for run in runs.front],
        [run.score for run in runs.front],
        color=look.neutral,
        zorder=0,
    )
    for run in runs.untrained:
        label = fitted(run.name, f"{run.score:.2f}", width)
        axes.axhline(run.score, color=look.neutral, linewidth=0.9, linestyle="--", label=label)
    costs = [run.parameters for run in runs.trained]
    axes.set(xscale="log", xlabel="Trainable parameters", ylabel="Average spBLEU")
    axes.set_xlim(min(costs) / 2, max(costs) * 2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(costs) < 20 * min(costs) else (1,)))
    axes.xaxis.set_major_formatter(lambda count, _: _short(count))
    axes.xaxis.set_minor_formatter(NullFormatter())
    legend_below(axes)
    note(figure, look, runs.signature)
    title(figure, look, "Quality against trainable parameters")
    return figure


def _short(count: float) -> str:
    """``350k``, ``22.4M``, ``1.2B``"""
    size, unit = next(pair for pair in ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1, "")) if count >= pair[0])
    return f"{count / size:.3g}{unit}"
