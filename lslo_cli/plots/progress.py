"""Quality and pruning by epoch as tables (paper, figure 3, eq. 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from statistics import stdev

import numpy as np

from lslo_cli.artifacts.results import Curve, IndexStrategyResult, SubspaceResult, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.sites import Layer
from lslo_cli.wording import Command, of_most


def _with_curve(run: str, *more: str) -> tuple[str, Command]:
    """How to record the curve of a run, without replacing it by another."""
    line = Command("train", "--settings-of", run, "--run", run, "--curve-rows", "50", *more)
    return "train it again with its own settings and a curve", line


def weights_by_layer(results: Sequence[IndexStrategyResult]) -> dict[Layer, list[float]]:
    """The source's weight in every layer, one value for each result; the target's is 1 minus it.

    Raises InputError if the models of the results have different layers.
    """
    found = [result.weights() for result in results]
    if any(each.keys() != found[0].keys() for each in found):
        raise InputError(
            "weights were learned on models with different numbers of layers",
            "draw them separately, without --with",
        )
    return {layer: [each[layer].source_weight for each in found] for layer in found[0]}


@dataclass(frozen=True)
class PlottedLine:
    """spBLEU of one group for runs of one name: an array of runs x epochs.

    Runs whose values are the same in every epoch are one line with all their ``names``.
    """

    names: tuple[str, ...]
    epochs: list[int]
    values: np.ndarray

    @property
    def last(self) -> str:
        """The value after the last epoch, with the sample standard deviation of several runs."""
        last = self.values[:, -1]
        spread = f" ± {stdev(last):.2f}" if len(last) > 1 else ""
        return f"{last.mean():.2f}{spread}"


@dataclass(frozen=True)
class QualityByEpoch:
    """Curves that share one axis, each with the name of its run, and the groups that all of them have."""

    curves: Sequence[tuple[str, Curve]]
    groups: Sequence[str]

    def lines(self, group: str) -> list[PlottedLine]:
        """One line for each name of runs, over the epochs that all runs of the name have."""
        named: dict[str, list[dict[int, float]]] = {}
        for name, curve in self.curves:
            points = {point.epoch: point.spbleu[group] for point in curve.points if point.epoch > 0}
            named.setdefault(name, []).append(points)
        lines: dict[object, PlottedLine] = {}
        for name, curves in named.items():
            epochs = sorted(set.intersection(*(set(scores) for scores in curves)))
            values = [[scores[e] for e in epochs] for scores in curves]
            key = repr((epochs, values))
            names = lines[key].names if key in lines else ()
            lines[key] = PlottedLine((*names, name), epochs, np.array(values))
        return list(lines.values())

    def base(self, group: str) -> list[float] | None:
        """spBLEU of the base model, once for each seed, as recorded by runs; None if it was not scored.

        Runs of one name are of different seeds, and the records of one seed's runs are the same. So a score
        counts as often as the name with most of it has it.
        """
        starts: dict[str, Counter[float]] = {}
        for name, curve in self.curves:
            scores = [point.spbleu[group] for point in curve.points if point.epoch == 0]
            starts.setdefault(name, Counter()).update(scores)
        return list(reduce(or_, starts.values()).elements()) or None

    @property
    def description(self) -> str:
        """How the runs were scored, and the number of runs per line."""
        curve = self.curves[0][1]
        counts = Counter(name for name, _ in self.curves)
        several = max(counts.values()) > 1
        mean = f"mean and range of {of_most(counts, 'run')}; " if several else ""
        return f"{mean}{curve.rows} sentences per direction; {curve.signature}"


def quality_by_epoch(runs: Sequence[TrainingResult], groups: Sequence[str] = ()) -> QualityByEpoch:
    """The curves of runs, checked to share one axis.

    Without ``groups`` they are those that all runs recorded. Raises InputError if there is no run, if a run
    has no curve or lacks a group, if runs share none, or if runs were scored differently.
    """
    if not runs:
        raise InputError(
            "no run has a quality curve", "train one with it", Command("train", "--curve-rows", "50")
        )
    curves: list[tuple[str, Curve]] = []
    for run in runs:
        curve = run.curve
        if curve is None or not any(point.epoch for point in curve.points):
            raise InputError(f"run {run.run} has no quality by epoch", *_with_curve(run.run))
        for group in groups:
            if any(group not in point.spbleu for point in curve.points):
                recorded = ", ".join(curve.points[0].spbleu)
                raise InputError(
                    f"run {run.run} has no quality by epoch for {group}; it has {recorded}",
                    *_with_curve(run.run, "--curve-groups", ",".join(groups)),
                )
        curves.append((run.run, curve))
        name, first = curves[0]
        if (curve.rows, curve.signature) != (first.rows, first.signature):
            raise InputError(
                f"runs {name} and {run.run} were scored differently: {first.rows} sentences with "
                f"{first.signature}, and {curve.rows} with {curve.signature}",
                "draw them separately, or train one of them again with the settings of the other",
            )
    return QualityByEpoch(curves, groups or _shared(curves))


def _shared(curves: Sequence[tuple[str, Curve]]) -> list[str]:
    """The groups that all curves have. Raises InputError if there is none."""
    recorded = [list(curve.points[0].spbleu) for _, curve in curves]
    shared = [group for group in recorded[0] if all(group in groups for groups in recorded)]
    if not shared:
        has = (f"{name} has {', '.join(curve.points[0].spbleu)}" for name, curve in curves)
        raise InputError(
            f"runs have quality by epoch for no group in common: {'; '.join(dict.fromkeys(has))}",
            "draw them separately, with --run, or train one again with the --curve-groups of the other",
        )
    return shared


@dataclass(frozen=True)
class Ratios:
    """The fraction to prune in every epoch, and the fractions of zeros counted at the end of each run.

    Runs with the same schedule are one entry, with all their ``names``.
    """

    names: tuple[str, ...]
    target: float
    planned: dict[int, float]
    measured: tuple[float, ...]

    @property
    def counted(self) -> str:
        """The fraction of zeros at the end, as a range if runs differ."""
        ends = sorted({f"{value:.4f}" for value in self.measured})
        return ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"


def ratios_by_epoch(runs: Sequence[TrainingResult | SubspaceResult]) -> list[Ratios]:
    """The different schedules of runs. Raises InputError if there is no run, or a run pruned nothing."""
    if not runs:
        raise InputError("there is no pruned run to draw", "train one", Command("train", "--gps", "0.9"))
    schedules: dict[object, Ratios] = {}
    for run in runs:
        ratios = _ratios(run)
        key = repr((ratios.target, ratios.planned))
        if before := schedules.get(key):
            names = tuple(dict.fromkeys((*before.names, *ratios.names)))
            ratios = replace(before, names=names, measured=(*before.measured, *ratios.measured))
        schedules[key] = ratios
    return list(schedules.values())


def _ratios(run: TrainingResult | SubspaceResult) -> Ratios:
    pruned = [(row[3], row[4]) for row in run.pruned.rows]
    name = "subspace estimation"
    if isinstance(run, TrainingResult):
        name = run.run
        pruned = [
            (count, size)
            for _, language, matrix, count, size in run.pruned.rows
            if language in run.pruned_languages and run.prune_targets in ("both", matrix)
        ]
    if not run.target_ratio:
        raise InputError(
            f"run {name} pruned nothing, so it has no schedule", "prune one", Command("train", "--gps", "0.9")
        )
    size = sum(size for _, size in pruned)
    return Ratios(
        names=(name,),
        target=run.target_ratio,
        planned={record.epoch: record.target_ratio for record in run.history},
        measured=(sum(count for count, _ in pruned) / size if size else 0.0,),
    )
