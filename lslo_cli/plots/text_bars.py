"""Weights, curves and scores for a terminal: bars and sparklines."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.method.metrics import SPBLEU
from lslo_cli.plots.gains import costs_and_scores
from lslo_cli.plots.progress import QualityByEpoch, quality_by_epoch, ratios_by_epoch, weights_by_layer
from lslo_cli.plots.style import shortened
from lslo_cli.plots.text import COLUMNS, TextFigure, TextSpan, bar, line, remark, sparkline

NAME = 24
"""The longest name in characters; longer ones are shortened."""


def weights_text(results: Sequence[IndexStrategyResult]) -> TextFigure:
    """The source's weight as a bar for each layer, the rest of which is the target's (figure 1).

    Several results are one bar for their mean, with the range of the source's weight.
    """
    width = 40
    lines = [line(f"{'layer':<12}{'source':>7}  {'':{width}}  target")]
    for layer, values in weights_by_layer(results).items():
        mean = fmean(values)
        share = bar(mean, width).replace(" ", "·")
        spread = f"  {min(values):.2f}-{max(values):.2f}" if len(values) > 1 else ""
        lines.append(line(f"{layer!s:<12}{mean:>7.3f}  {share}  {1 - mean:.3f}{spread}"))
    if len(results) > 1:
        lines += [
            line(),
            *remark(f"mean and range of {len(results)} seeds; on the right that of the source's weight"),
        ]
    return TextFigure(lines)


def epochs_text(runs: Sequence[TrainingResult]) -> TextFigure:
    """spBLEU by epoch as a line of blocks for each run, all of a group on one scale (figure 3).

    Raises InputError as :func:`lslo_cli.plots.epochs` does.
    """
    quality = quality_by_epoch(runs)
    lines: list[list[TextSpan]] = []
    for group in quality.groups:
        lines += [*_group(quality, group), line()]
    return TextFigure([*lines, *remark(quality.description)])


def schedule_text(runs: Sequence[TrainingResult | SubspaceResult]) -> TextFigure:
    """The fraction to prune in every epoch as bars, and the fraction of zeros at the end (eq. 4).

    Raises InputError if a run pruned nothing.
    """
    lines: list[list[TextSpan]] = []
    for ratios in ratios_by_epoch(runs):
        lines += remark(f"{', '.join(ratios.names)}: target {ratios.target:g}, measured {ratios.counted}")
        lines += [
            line(f"{epoch:>5} {ratio:>7.4f} {bar(ratio, 60)}") for epoch, ratio in ratios.planned.items()
        ]
        lines.append(line())
    return TextFigure(lines[:-1])


def pareto_text(
    evaluations: Sequence[EvaluationResult], trainings: Sequence[TrainingResult], *, metric: str = SPBLEU
) -> TextFigure:
    """Runs from the cheapest to the most expensive, with a bar for their average and a star on the Pareto
    front. Raises InputError if no run was trained or the metrics differ.
    """
    runs = costs_and_scores(evaluations, trainings, metric)
    best = max(run.score for run in (*runs.trained, *runs.untrained)) or 1.0
    lines = [line(f"  {'run':<{NAME}} {'trainable':>13} {metric:>7}")]
    for run in (*runs.untrained, *sorted(runs.trained, key=lambda run: run.parameters)):
        star = "*" if run in runs.front else " "
        width = COLUMNS - NAME - 25
        facts = f"{star} {_named(run.name)} {run.parameters:>13,.0f} {run.score:>7.2f}"
        lines.append(line(f"{facts} {bar(run.score / best, width)}"))
    return TextFigure([*lines, line(), line("* no cheaper run is as good"), *remark(runs.description)])


def _group(quality: QualityByEpoch, group: str) -> list[list[TextSpan]]:
    curves = {each.names: each.values.mean(axis=0) for each in quality.lines(group)}
    lowest = min(min(mean) for mean in curves.values())
    highest = max(max(mean) for mean in curves.values())
    room = min(max(6, *map(len, curves.values())), COLUMNS - NAME - 25)
    lines = [line(f"{group:<{NAME}} {'epochs':<{room}} {'first':>7} {'best':>7} {'last':>7}")]
    for (*first, name), mean in curves.items():
        lines += [line(f"{shortened(each, NAME - 1)},") for each in first]
        shown = sparkline(list(_thinned(mean, room)), lowest, highest).ljust(room)
        lines.append(line(f"{_named(name)} {shown} {mean[0]:>7.2f} {max(mean):>7.2f} {mean[-1]:>7.2f}"))
    base = quality.base(group)
    if base is not None:
        lines.append(line(f"{'base':<{NAME}} {'':{room}} {np.mean(base):>7.2f}"))
    return lines


def _thinned(values: np.ndarray, room: int) -> np.ndarray:
    """At most ``room`` of the values, evenly spaced, including the first and the last."""
    return values[np.linspace(0, len(values) - 1, min(len(values), room)).round().astype(int)]


def _named(name: str) -> str:
    return shortened(name, NAME).ljust(NAME)
