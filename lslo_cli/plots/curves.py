"""What changes by layer or by epoch (paper, figures 1 and 3, eq. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lslo_cli.artifacts.results import Curve, IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.sites import Stack
from lslo_cli.method.strategy import Index
from lslo_cli.plots.style import (
    COLUMN_WIDTH,
    MARKERS,
    NEUTRAL,
    PAGE_WIDTH,
    SERIES,
    legend_below,
    new_figure,
    note,
    styled,
)

SIDE_COLOURS = {Index.SOURCE: SERIES[0], Index.TARGET: SERIES[1]}
STACK_STYLES = {
    Stack.ENCODER: {"linestyle": "-", "marker": "o"},
    Stack.DECODER: {"linestyle": "--", "marker": "s"},
}


@styled
def weights(result: IndexStrategyResult, *, width: float = PAGE_WIDTH) -> Figure:
    """Source and target weight of every layer, encoder and decoder (figure 1). A layer's sum to 1."""
    figure = new_figure(width, 2.4)
    axes = figure.subplots()
    axes.axhline(0.5, color=NEUTRAL, linewidth=0.6, linestyle=":")
    for stack, style in STACK_STYLES.items():
        pairs = {layer.number: pair for layer, pair in result.weights().items() if layer.stack is stack}
        for side, colour in SIDE_COLOURS.items():
            values = [getattr(pair, f"{side}_weight") for pair in pairs.values()]
            axes.plot(list(pairs), values, color=colour, label=f"{stack} {side}", **style)
    axes.set(xlabel="Layer", ylabel="Weight")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=2 if width < 5 else 4)
    return figure


@styled
def epochs(
    runs: Sequence[TrainingResult], *, groups: Sequence[str] = ("H2H", "V2V"), width: float = PAGE_WIDTH
) -> Figure:
    """spBLEU of groups by epoch, one panel for each group, with the base model as a dashed line (figure 3).

    Every run stands in the legend with its value after the last epoch. Raises InputError where a run has
    no curve or not these groups, or where runs were scored differently.
    """
    curves = _curves(runs, groups)
    beside = width >= 5
    legend_height = 0.14 * (len(runs) + 1)
    panels = 1 if beside else len(groups)
    figure = new_figure(width, panels * (1.9 + legend_height) + 0.3)
    shape = (1, len(groups)) if beside else (len(groups), 1)
    for axes, group in zip(figure.subplots(*shape, squeeze=False).flat, groups, strict=True):
        _draw_group(axes, group, {run.run: curve for run, curve in zip(runs, curves, strict=True)})
    note(figure, f"{curves[0].rows} sentences per direction; {curves[0].signature}")
    return figure


@styled
def schedule(runs: Sequence[TrainingResult | SubspaceResult], *, width: float = COLUMN_WIDTH) -> Figure:
    """The fraction pruned in every epoch (eq. 4), with the target ratio as a dashed line.

    Raises InputError where a run pruned nothing.
    """
    figure = new_figure(width, 2.2)
    axes = figure.subplots()
    for run, colour, marker in zip(runs, cycle(SERIES), cycle(MARKERS), strict=False):
        name = run.run if isinstance(run, TrainingResult) else "subspace estimation"
        if not run.target_ratio:
            raise InputError(
                f"run {name} pruned nothing, so it has no schedule", "prune one: lslo train --gps 0.9"
            )
        ratios = {record.epoch: record.target_ratio for record in run.history}
        axes.plot(list(ratios), list(ratios.values()), color=colour, marker=marker, label=name)
        axes.axhline(run.target_ratio, color=colour, linewidth=0.8, linestyle="--")
        axes.annotate(
            f"target {run.target_ratio:g}", (max(ratios), run.target_ratio), (0, 4), color=colour, ha="right",
            textcoords="offset points",
        )  # fmt: skip
    axes.set(xlabel="Epoch", ylabel="Fraction pruned", ylim=(-0.03, 1.05))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=1 if width < 5 else 3)
    return figure


def _curves(runs: Sequence[TrainingResult], groups: Sequence[str]) -> list[Curve]:
    """The curve of every run, checked to share one axis."""
    if not runs:
        raise InputError("there is no training run to draw", "train one: lslo train --curve-rows 50")
    curves = []
    for run in runs:
        again = f"record it: lslo train --run {run.run} --curve-rows 50"
        if run.curve is None or not any(point.epoch for point in run.curve.points):
            raise InputError(f"run {run.run} has no quality by epoch", again)
        for group in groups:
            if any(group not in point.spbleu for point in run.curve.points):
                recorded = ", ".join(run.curve.points[0].spbleu)
                listed = ", ".join(f'"{name}"' for name in groups)
                raise InputError(
                    f"run {run.run} has no quality by epoch for {group}; it has {recorded}",
                    f"{again} --set 'train.curve_groups=[{listed}]'",
                )
        first = curves[0] if curves else run.curve
        if (run.curve.rows, run.curve.signature) != (first.rows, first.signature):
            raise InputError(
                f"runs {runs[0].run} and {run.run} were scored differently: {first.rows} sentences with "
                f"{first.signature}, and {run.curve.rows} with {run.curve.signature}",
                "draw them apart, or train one of them again with the settings of the other",
            )
        curves.append(run.curve)
    return curves


def _draw_group(axes: Axes, group: str, curves: dict[str, Curve]) -> None:
    base = next((p.spbleu[group] for curve in curves.values() for p in curve.points if p.epoch == 0), None)
    for (name, curve), colour, marker in zip(curves.items(), cycle(SERIES), cycle(MARKERS), strict=False):
        points = {point.epoch: point.spbleu[group] for point in curve.points if point.epoch > 0}
        final = list(points.values())[-1]
        axes.plot(
            list(points), list(points.values()), color=colour, marker=marker, label=f"{name}  {final:.2f}"
        )
    if base is not None:
        axes.axhline(base, color=NEUTRAL, linestyle="--", label=f"base  {base:.2f}")
    axes.set(xlabel="Epoch", ylabel="spBLEU")
    axes.set_title(group, loc="left", fontweight="bold")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(axes)
