"""Quality and pruning by epoch as tables (paper, figure 3, eq. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

import numpy as np

from lslo_cli.artifacts.results import SubspaceResult, TrainingResult
from lslo_cli.errors import InputError

GROUPS = ("H2H", "V2V")
"""The groups of figure 3."""


@dataclass(frozen=True)
class Line:
    """spBLEU of one group for runs of one name: an array of runs x epochs."""

    name: str
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
    """Runs with curves that share one axis."""

    runs: Sequence[TrainingResult]

    def lines(self, group: str) -> list[Line]:
        """One line for each name of runs, over the epochs that all runs of the name have."""
        named: dict[str, list[dict[int, float]]] = {}
        for run in self.runs:
            points = {point.epoch: point.spbleu[group] for point in run.curve.points if point.epoch > 0}
            named.setdefault(run.run, []).append(points)
        lines = []
        for name, curves in named.items():
            epochs = sorted(set.intersection(*(set(curve) for curve in curves)))
            lines.append(Line(name, epochs, np.array([[curve[e] for e in epochs] for curve in curves])))
        return lines

    def base(self, group: str) -> list[float] | None:
        """spBLEU of the base model as each run met it; None where it was not scored."""
        starts = [point.spbleu[group] for run in self.runs for point in run.curve.points if point.epoch == 0]
        return starts or None

    @property
    def description(self) -> str:
        """How the runs were scored, and how many stand behind a line."""
        curve = self.runs[0].curve
        names = [run.run for run in self.runs]
        several = max(names.count(name) for name in names)
        mean = f"mean and range of {several} runs; " if several > 1 else ""
        return f"{mean}{curve.rows} sentences per direction; {curve.signature}"


def quality_by_epoch(runs: Sequence[TrainingResult], groups: Sequence[str] = GROUPS) -> QualityByEpoch:
    """The curves of runs, checked to share one axis.

    Raises InputError where there is no run, where a run has no curve or not these groups, or where runs
    were scored differently.
    """
    if not runs:
        raise InputError("there is no training run to draw", "train one: lslo train --curve-rows 50")
    first = runs[0]
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
        if (run.curve.rows, run.curve.signature) != (first.curve.rows, first.curve.signature):
            raise InputError(
                f"runs {first.run} and {run.run} were scored differently: {first.curve.rows} sentences with "
                f"{first.curve.signature}, and {run.curve.rows} with {run.curve.signature}",
                "draw them apart, or train one of them again with the settings of the other",
            )
    return QualityByEpoch(runs)


@dataclass(frozen=True)
class Ratios:
    """The fraction that a run was to prune in every epoch, and the fraction of zeros counted at its end."""

    name: str
    target: float
    planned: dict[int, float]
    measured: float


def ratios_by_epoch(runs: Sequence[TrainingResult | SubspaceResult]) -> list[Ratios]:
    """The schedules of runs. Raises InputError where there is none, or a run pruned nothing."""
    if not runs:
        raise InputError("there is no pruned run to draw", "train one: lslo train --gps 0.9")
    return [_ratios(run) for run in runs]


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
            f"run {name} pruned nothing, so it has no schedule", "prune one: lslo train --gps 0.9"
        )
    size = sum(size for _, size in pruned)
    return Ratios(
        name=name,
        target=run.target_ratio,
        planned={record.epoch: record.target_ratio for record in run.history},
        measured=sum(count for count, _ in pruned) / size if size else 0.0,
    )
