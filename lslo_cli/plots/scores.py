"""What runs gain over the base model, and at what cost (paper, tables 1 to 4, as figures)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import seaborn
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from pandas import DataFrame

from lslo_cli.artifacts.results import EvaluationResult, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.plots.style import (
    COLUMN_WIDTH,
    MARKERS,
    MISSING,
    NEUTRAL,
    PAGE_WIDTH,
    SERIES,
    by_resource,
    legend_below,
    mark_classes,
    new_figure,
    note,
    separate_classes,
    styled,
)

COLOURS = "PRGn"
"""Purple for a loss, green for a gain: no map of demand has these colours."""


@styled
def directions(run: EvaluationResult, base: EvaluationResult, *, width: float = PAGE_WIDTH) -> Figure:
    """Gain in spBLEU over ``base`` of every direction: source languages x target languages.

    Directions that either has not are grey. Raises InputError where the two share no direction or were
    scored with different metrics.
    """
    _check_comparable([run, base])
    before = base.spbleu()
    gains = {
        direction: after - before[direction]
        for direction, after in run.spbleu().items()
        if direction in before
    }
    if not gains:
        raise InputError(
            f"runs {run.run} and {base.run} share no direction",
            "evaluate both on the same directions: lslo evaluate --force",
        )
    languages = by_resource([record.language() for record in run.languages])
    codes = [language.code for language in languages]
    frame = DataFrame(np.nan, index=codes, columns=codes)
    for direction, gain in gains.items():
        frame.loc[direction.src, direction.tgt] = gain
    limit = max(abs(gain) for gain in gains.values()) or 1.0
    cell = (width - 0.6) / len(codes)
    text = 7 if cell > 0.13 else 6
    figure = new_figure(width, width + 0.65)
    axes = figure.subplots()
    axes.set_facecolor(MISSING)
    seaborn.heatmap(
        frame, ax=axes, cmap=COLOURS, vmin=-limit, vmax=limit, square=True, linewidths=0.2, linecolor="white",
        xticklabels=True, yticklabels=True, annot=cell > 0.35, fmt="+.1f", annot_kws={"fontsize": 6.5},
        cbar_kws={"location": "bottom", "shrink": 0.6, "aspect": 40, "pad": 0.01, "label": "gain in spBLEU"},
    )  # fmt: skip
    axes.tick_params(length=0, pad=1.5)
    axes.tick_params(axis="x", labelrotation=90)
    axes.tick_params(axis="y", labelrotation=0)
    for axis in "yx":
        separate_classes(axes, languages, axis)
        mark_classes(axes, languages, text, axis)
    axes.set_xlabel("Target", labelpad=20)
    axes.set_ylabel("Source", labelpad=20)
    axes.set_title(f"{run.run} over {base.run}", loc="left")
    note(figure, run.spbleu_signature)
    return figure


@styled
def pareto(
    evaluations: Sequence[EvaluationResult],
    trainings: Sequence[TrainingResult],
    *,
    width: float = COLUMN_WIDTH,
) -> Figure:
    """Trainable parameters against average spBLEU; a line joins the runs that no cheaper run equals.

    A run without a training result, such as the base model, trains nothing and is a dashed line. Raises
    InputError where no run was trained or the metrics differ.
    """
    _check_comparable(evaluations)
    parameters = {training.run: training.trainable_parameters for training in trainings}
    trained = [run for run in evaluations if run.run in parameters]
    if not trained:
        raise InputError(
            "there is no trained run with scores to draw", "make one: lslo train, then lslo evaluate"
        )
    figure = new_figure(width, 2.2 + 0.14 * len(evaluations))
    axes = figure.subplots()
    for run, colour, marker in zip(trained, cycle(SERIES), cycle(MARKERS), strict=False):
        cost = parameters[run.run]
        label = f"{run.run}  {run.average:.2f} ({cost / 1e6:.3g}M)"
        axes.plot(cost, run.average, color=colour, marker=marker, markersize=5, linestyle="", label=label)
    best: list[EvaluationResult] = []
    for run in sorted(trained, key=lambda run: (parameters[run.run], -run.average)):
        if not best or run.average > best[-1].average:
            best.append(run)
    axes.plot([parameters[run.run] for run in best], [run.average for run in best], color=NEUTRAL, zorder=0)
    for run in evaluations:
        if run.run not in parameters:
            axes.axhline(run.average, color=NEUTRAL, linestyle="--", label=f"{run.run}  {run.average:.2f}")
    costs = [parameters[run.run] for run in trained]
    axes.set(xscale="log", xlabel="Trainable parameters", ylabel="Average spBLEU")
    axes.set_xlim(min(costs) / 2, max(costs) * 2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(costs) < 20 * min(costs) else (1,)))
    axes.xaxis.set_major_formatter(lambda count, _: f"{count / 1e6:g}M")
    axes.xaxis.set_minor_formatter(NullFormatter())
    legend_below(axes)
    note(figure, trained[0].spbleu_signature)
    return figure


def _check_comparable(evaluations: Sequence[EvaluationResult]) -> None:
    for run in evaluations:
        first = evaluations[0]
        if run.spbleu_signature != first.spbleu_signature:
            raise InputError(
                f"runs {first.run} and {run.run} were scored with different metrics: "
                f"{first.spbleu_signature} and {run.spbleu_signature}",
                "score them alike: lslo evaluate --force",
            )
