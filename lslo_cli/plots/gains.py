"""Scores of runs as tables: gain over the base by direction, and cost against quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from pandas import DataFrame

from lslo_cli.artifacts.comparable import check_scored_alike
from lslo_cli.artifacts.evaluations import EvaluationResult
from lslo_cli.artifacts.results import TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Language
from lslo_cli.method.metrics import SPBLEU, metric_named
from lslo_cli.plots.demand import by_resource
from lslo_cli.wording import Command, of_most


@dataclass(frozen=True)
class Gains:
    """Gain in one metric, source x target languages by resource; NaN for a direction without both scores.

    ``spread`` describes the spread over seeds, empty for one.
    """

    languages: Sequence[Language]
    frame: DataFrame
    spread: str = ""
    metric: str = SPBLEU
    signature: str = ""

    @property
    def description(self) -> str:
        """How runs were scored, and the spread over seeds."""
        return "; ".join(filter(None, (self.spread, self.signature)))

    @property
    def limit(self) -> float:
        """The largest absolute gain; 1 if nothing changed."""
        return float(np.nanmax(np.abs(self.frame.to_numpy()))) or 1.0


def gains(runs: Sequence[EvaluationResult], bases: Sequence[EvaluationResult], metric: str = SPBLEU) -> Gains:
    """The gain of a run over the base model, the mean over seeds; each has one result for each seed.

    A gain is a higher score, or a lower one if lower is better. Raises InputError if the two share no
    direction in all seeds, were not scored by the metric, or not alike.
    """
    check_scored_alike([*runs, *bases], metric, by_direction=True)
    frames = [_gains_of_seed(run, base, metric) for run, base in zip(runs, bases, strict=True)]
    mean = sum(frames) / len(frames)
    if mean.isna().all(axis=None):
        everywhere = f" in all {len(frames)} seeds" if len(frames) > 1 else ""
        raise InputError(
            f"runs {runs[0].run} and {bases[0].run} share no direction{everywhere}",
            "evaluate both on the same directions",
            Command("evaluate", "--force"),
        )
    languages = by_resource([record.language() for record in runs[0].languages])
    spread = ""
    if len(frames) > 1:
        deviations = np.std(frames, axis=0, ddof=1)
        spread = (
            f"mean of {len(frames)} seeds, standard deviation of a direction {np.nanmedian(deviations):.1f} "
            f"in the median, at most {np.nanmax(deviations):.1f}"
        )
    return Gains(languages, mean, spread, metric, runs[0].metric(metric).signature)


def _gains_of_seed(run: EvaluationResult, base: EvaluationResult, metric: str) -> DataFrame:
    before, sign = base.scores(metric), 1 if metric_named(metric).higher_is_better else -1
    shared = {
        direction: sign * (after - before[direction])
        for direction, after in run.scores(metric).items()
        if direction in before
    }
    codes = [language.code for language in by_resource([record.language() for record in run.languages])]
    frame = DataFrame(np.nan, index=codes, columns=codes)
    for direction, gain in shared.items():
        frame.loc[direction.src, direction.tgt] = gain
    return frame


def signed(gain: float) -> str:
    """``+1.3``, ``-0.4``, and ``0.0`` for values that round to it."""
    text = f"{gain:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


@dataclass(frozen=True)
class Point:
    """One run: its trainable parameters and average score over seeds, with the standard deviation."""

    name: str
    parameters: float
    score: float
    deviation: float | None = None

    @property
    def facts(self) -> str:
        """The score, with the deviation if there is one."""
        return f"{self.score:.2f}" + (f" ± {self.deviation:.2f}" if self.deviation is not None else "")


@dataclass(frozen=True)
class CostsAndScores:
    """Runs in the order of their trainings; those that train nothing, such as the base model, separately."""

    trained: Sequence[Point]
    untrained: Sequence[Point]
    signature: str
    metric: str
    seeds: Mapping[str, int]
    """The number of seeds of every run."""

    @property
    def front(self) -> list[Point]:
        """The Pareto front: runs better than every cheaper one, the cheapest first."""
        best: list[Point] = []
        for run in sorted(self.trained, key=lambda run: (run.parameters, -self.merit(run))):
            if not best or self.merit(run) > self.merit(best[-1]):
                best.append(run)
        return best

    def merit(self, run: Point) -> float:
        """A run's score, negated if lower is better."""
        return run.score if metric_named(self.metric).higher_is_better else -run.score

    @property
    def description(self) -> str:
        """How runs were scored, and over how many seeds."""
        several = max(self.seeds.values()) > 1
        spread = f"mean ± sample standard deviation of {of_most(self.seeds)}; " if several else ""
        return spread + self.signature


def costs_and_scores(
    evaluations: Sequence[EvaluationResult], trainings: Sequence[TrainingResult], metric: str = SPBLEU
) -> CostsAndScores:
    """Trainable parameters and average score of runs; results of one name are one run's in several seeds.

    Raises InputError if no run was trained, one was not scored by the metric, or runs were not scored alike.
    """
    check_scored_alike(evaluations, metric)
    signature = evaluations[0].metric(metric).signature if evaluations else ""
    averages: dict[str, list[float]] = {}
    for run in evaluations:
        averages.setdefault(run.run, []).append(run.metric(metric).average)
    costs: dict[str, list[int]] = {}
    for training in trainings:
        costs.setdefault(training.run, []).append(training.trainable_parameters)
    trained = [_point(name, costs[name], averages[name]) for name in costs if name in averages]
    if not trained:
        raise InputError(
            "there is no trained run with scores to draw",
            "score one" if costs else "train one",
            Command("evaluate" if costs else "train"),
        )
    untrained = [_point(name, [0], scores) for name, scores in averages.items() if name not in costs]
    seeds = {name: len(scores) for name, scores in averages.items()}
    return CostsAndScores(trained, untrained, signature, metric, seeds)


def _point(name: str, costs: Sequence[int], scores: Sequence[float]) -> Point:
    """A point without a deviation of zero, as of a base model that all seeds share."""
    deviation = stdev(scores) if len(scores) > 1 else 0.0
    return Point(name, fmean(costs), fmean(scores), deviation or None)
