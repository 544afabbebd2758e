"""Figures of the gain over the base model, and of quality against parameters (paper, tables 1 to 4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import seaborn
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.folder import BASE_RUN
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.plots.classes import mark_classes, separate_classes
from lslo_cli.plots.gains import costs_and_scores, gains, signed
from lslo_cli.plots.labels import axes_height, label_line, label_points
from lslo_cli.plots.reading import evaluations, trainings
from lslo_cli.plots.runs import BEST, Seeds, in_study_order, scored_runs, study_runs
from lslo_cli.plots.specs import PreparedFigure
from lslo_cli.plots.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    SMALL,
    TEXT,
    Style,
    balanced_height,
    ink_on,
    legend_below,
    listed,
    new_figure,
    note,
    shortened,
    styled,
    title,
)
from lslo_cli.plots.text_bars import pareto_text
from lslo_cli.plots.text_maps import directions_text
from lslo_cli.wording import Command


@styled
def directions(
    runs: Sequence[EvaluationResult],
    bases: Sequence[EvaluationResult],
    *,
    metric: str = SPBLEU,
    width: float = PAGE_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Gain in a metric over the base model of every direction: source languages x target languages.

    ``runs`` are one run's scores, one for each seed, and ``bases`` those of the base model: the mean is
    drawn. Directions that either lacks are grey. Raises InputError if the two share no direction or were
    scored with different metrics.
    """
    look = style.look
    gained = gains(runs, bases, metric)
    cell = min((width - 0.6) / len(gained.languages), 0.5)
    size = TEXT if cell > 0.11 else SMALL
    figure = new_figure(look, width, cell * len(gained.languages) + 1.35)
    axes = figure.subplots()
    axes.set_facecolor(look.missing)
    seaborn.heatmap(
        gained.frame, ax=axes, cmap=look.gain, vmin=-gained.limit, vmax=gained.limit, square=True,
        linewidths=0.2, linecolor=look.ground, xticklabels=True, yticklabels=True,
        annot=gained.frame.map(signed) if cell > 0.35 else None, fmt="", annot_kws={"fontsize": SMALL + 0.5},
        cbar_kws={
            "location": "bottom", "shrink": 0.6, "aspect": 40, "pad": 0.01, "label": f"gain in {metric}",
        },
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
    axes.set_title(f"{shortened(runs[0].run, int(width * 12))} over {bases[0].run}", loc="left")
    note(figure, look, gained.description)
    title(figure, look, "Gain over the base model")
    return figure


@styled
def pareto(
    scores: Sequence[EvaluationResult],
    trained: Sequence[TrainingResult],
    *,
    metric: str = SPBLEU,
    study: Sequence[str] = (),
    width: float = COLUMN_WIDTH,
    style: Style = Style.PAPER,
) -> Figure:
    """Average score against trainable parameters; a line joins the Pareto front.

    A run without a training result, such as the base model, trains nothing and is a dashed line. Runs of one
    name, as of several seeds, are one point: their mean, with a bar of the sample standard deviation. Names
    are beside their points; those that do not fit are listed below, the best first. ``study`` names all runs
    of the study, whose order gives each its mark. Raises InputError if no run was trained or the metrics
    differ.
    """
    look = style.look
    runs = costs_and_scores(scores, trained, metric)
    marks = look.marks([*study, *in_study_order(run.name for run in runs.trained)])
    height = 1.9 + 0.03 * len(runs.trained)
    figure = new_figure(look, width, height + 0.6)
    axes = figure.subplots()
    points = [
        axes.plot(
            run.parameters, run.score, color=marks[run.name].colour, marker=marks[run.name].marker,
            markerfacecolor=marks[run.name].face, markersize=4.5, linestyle="",
        )[0]
        for run in runs.trained
    ]  # fmt: skip
    for run in runs.trained:
        if run.deviation is not None:
            ends = (run.score - run.deviation, run.score + run.deviation)
            axes.vlines(run.parameters, *ends, color=marks[run.name].colour, linewidth=0.7, zorder=1)
    (front,) = axes.plot(
        [run.parameters for run in runs.front],
        [run.score for run in runs.front],
        color=look.neutral,
        linewidth=0.8,
        zorder=0,
    )
    for run in runs.untrained:
        axes.axhline(run.score, color=look.neutral, linewidth=0.9, linestyle="--")
    costs = [run.parameters for run in runs.trained]
    axes.set(xscale="log", xlabel="Trainable parameters", ylabel=f"Average {metric}")
    axes.set_xlim(min(costs) / 2, max(costs) * 2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(costs) < 20 * min(costs) else (1,)))
    axes.xaxis.set_major_formatter(lambda count, _: _short(count))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.1)
    note(figure, look, runs.description)
    title(figure, look, "Quality against trainable parameters")
    for run in runs.untrained:
        label_line(axes, look, f"{run.name} {run.score:.2f}", run.score)
    by_name = {run.name: point for run, point in zip(runs.trained, points, strict=True)}
    crowded = label_points(axes, look, by_name, front)
    below = sorted((run for run in runs.trained if run.name in crowded), key=lambda run: -runs.merit(run))
    entries = {
        listed(f"{shortened(run.name, int(width * 15) - 22)}  {run.facts} ({_short(run.parameters)})"): run
        for run in below
    }
    if entries:
        handles = [points[runs.trained.index(run)] for run in entries.values()]
        height, legend = balanced_height(height, list(entries))
        figure.set_figheight(figure.get_figheight() + height - axes_height(axes) + legend)
        legend_below(axes, entries=dict(zip(entries, handles, strict=True)))
    return figure


def prepare_directions(seeds: Seeds, names: Sequence[str] = (), *, metric: str = SPBLEU) -> PreparedFigure:
    """Gain of a run over the base model, from their evaluation.json in the seeds that have both.

    Without a name, of the paper's best run, or the latest with scores. Raises InputError if no trained run
    has scores.
    """
    scored = scored_runs(seeds)
    if not (names or scored):
        raise InputError(
            f"no trained run in {seeds[0].path / 'runs'} has scores", "make them", Command("evaluate")
        )
    (name,) = names or [BEST if BEST in scored else scored[-1]]
    both = [seed for seed in seeds if all(seed.run(run).evaluation.is_file() for run in (name, BASE_RUN))]
    pair = list(evaluations(both or seeds[:1], [name, BASE_RUN], metric, by_direction=True).values())
    return PreparedFigure(
        f"directions-{name}",
        f"Gain of {name} over the base model in every direction.",
        partial(directions, *pair, metric=metric),
        partial(directions_text, *pair, metric=metric),
    )


def prepare_pareto(seeds: Seeds, names: Sequence[str] = (), *, metric: str = SPBLEU) -> PreparedFigure:
    """Trainable parameters against quality, from all runs with scores, or from those named."""
    scored = list(dict.fromkeys(run.name for seed in seeds for run in seed.evaluated_runs()))
    found = [result for of_run in evaluations(seeds, names or scored, metric).values() for result in of_run]
    trained = trainings(seeds, [name for name in names if name != BASE_RUN])
    return PreparedFigure(
        "pareto",
        f"Trainable parameters against average {metric}.",
        partial(pareto, found, trained, metric=metric, study=study_runs(seeds)),
        partial(pareto_text, found, trained, metric=metric),
    )


def _short(count: float) -> str:
    """``350k``, ``22.4M``, ``1.2B``"""
    size, unit = next(pair for pair in ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1, "")) if count >= pair[0])
    return f"{count / size:.3g}{unit}"
