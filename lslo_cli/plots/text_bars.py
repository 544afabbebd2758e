"""Weights, curves and scores for a terminal: bars and sparklines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lslo_cli.artifacts.results import EvaluationResult, IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.plots.gains import costs_and_scores
from lslo_cli.plots.progress import GROUPS, QualityByEpoch, quality_by_epoch, ratios_by_epoch
from lslo_cli.plots.text import COLUMNS, Span, TextFigure, bar, line, remark, sparkline

NAME = 24
"""Characters of the longest name shown whole."""


def weights_text(result: IndexStrategyResult) -> TextFigure:
    """The weight of the source as a bar for each layer, and that of the target as what is left (figure 1)."""
    width = 40
    lines = [line(f"{'layer':<12}{'source':>7}  {'':{width}}  target")]
    for layer, pair in result.weights().items():
        share = bar(pair.source_weight, width).replace(" ", "·")
        lines.append(line(f"{layer!s:<12}{pair.source_weight:>7.3f}  {share}  {pair.target_weight:.3f}"))
    return TextFigure(lines)


def epochs_text(runs: Sequence[TrainingResult], *, groups: Sequence[str] = GROUPS) -> TextFigure:
    """spBLEU by epoch as a line of blocks for each run, all of a group on one scale (figure 3).

    Raises InputError as :func:`lslo_cli.plots.epochs` does.
    """
    quality = quality_by_epoch(runs, groups)
    lines: list[list[Span]] = []
    for group in groups:
        lines += [*_group(quality, group), line()]
    return TextFigure([*lines, *remark(quality.description)])


def schedule_text(runs: Sequence[TrainingResult | SubspaceResult]) -> TextFigure:
    """The fraction to prune in every epoch as bars, and that counted at the end (eq. 4).

    Raises InputError where a run pruned nothing.
    """
    lines: list[list[Span]] = []
    for ratios in ratios_by_epoch(runs):
        lines.append(line(f"{ratios.name}: target {ratios.target:g}, measured {ratios.measured:.4g}"))
        lines += [
            line(f"{epoch:>5} {ratio:>7.4f} {bar(ratio, 60)}") for epoch, ratio in ratios.planned.items()
        ]
        lines.append(line())
    return TextFigure(lines[:-1])


def pareto_text(evaluations: Sequence[EvaluationResult], trainings: Sequence[TrainingResult]) -> TextFigure:
    """Runs from the cheapest to the dearest with a bar for their average; a star marks those that no
    cheaper run equals. Raises InputError where no run was trained or the metrics differ.
    """
    runs = costs_and_scores(evaluations, trainings)
    best = max(run.score for run in (*runs.trained, *runs.untrained)) or 1.0
    lines = [line(f"  {'run':<{NAME}} {'trainable':>13} {'spBLEU':>7}")]
    for run in (*runs.untrained, *sorted(runs.trained, key=lambda run: run.parameters)):
        star = "*" if run in runs.front else " "
        width = COLUMNS - NAME - 25
        facts = f"{star} {_named(run.name)} {run.parameters:>13,} {run.score:>7.2f}"
        lines.append(line(f"{facts} {bar(run.score / best, width)}"))
    return TextFigure([*lines, line(), line("* no cheaper run scores as much"), *remark(runs.signature)])


def _group(quality: QualityByEpoch, group: str) -> list[list[Span]]:
    curves = {each.name: each.values.mean(axis=0) for each in quality.lines(group)}
    lowest = min(min(mean) for mean in curves.values())
    highest = max(max(mean) for mean in curves.values())
    room = min(max(6, *map(len, curves.values())), COLUMNS - NAME - 25)
    lines = [line(f"{group:<{NAME}} {'epochs':<{room}} {'first':>7} {'best':>7} {'last':>7}")]
    for name, mean in curves.items():
        shown = sparkline(list(_thinned(mean, room)), lowest, highest).ljust(room)
        lines.append(line(f"{_named(name)} {shown} {mean[0]:>7.2f} {max(mean):>7.2f} {mean[-1]:>7.2f}"))
    base = quality.base(group)
    if base is not None:
        lines.append(line(f"{'base':<{NAME}} {'':{room}} {np.mean(base):>7.2f}"))
    return lines


def _thinned(values: np.ndarray, room: int) -> np.ndarray:
    """At most ``room`` of the values, evenly spaced, the first and the last among them."""
    return values[np.linspace(0, len(values) - 1, min(len(values), room)).round().astype(int)]


def _named(name: str) -> str:
    return (name if len(name) <= NAME else name[: NAME - 1] + "…").ljust(NAME)
