"""Scores of runs as tables: gain over the base by direction, and cost against quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pandas import DataFrame

from lslo_cli.artifacts.results import EvaluationResult, TrainingResult
from lslo_cli.errors import InputError
from lslo_cli.method.languages import Language
from lslo_cli.plots.demand import by_resource


@dataclass(frozen=True)
class Gains:
    """Gain in spBLEU, source languages x target languages by resource; NaN for a direction without both."""

    languages: Sequence[Language]
    frame: DataFrame

    @property
    def limit(self) -> float:
        """The largest gain or loss in size; 1 where nothing changed."""
        return float(np.nanmax(np.abs(self.frame.to_numpy()))) or 1.0


def gains(run: EvaluationResult, base: EvaluationResult) -> Gains:
    """What ``run`` gains over ``base``.

    Raises InputError where the two share no direction or were scored with different metrics.
    """
    _check_comparable([run, base])
    before = base.spbleu()
    shared = {
        direction: after - before[direction]
        for direction, after in run.spbleu().items()
        if direction in before
    }
    if not shared:
        raise InputError(
            f"runs {run.run} and {base.run} share no direction",
            "evaluate both on the same directions: lslo evaluate --force",
        )
    languages = by_resource([record.language() for record in run.languages])
    codes = [language.code for language in languages]
    frame = DataFrame(np.nan, index=codes, columns=codes)
    for direction, gain in shared.items():
        frame.loc[direction.src, direction.tgt] = gain
    return Gains(languages, frame)


def signed(gain: float) -> str:
    """``+1.3``, ``-0.4``, and ``0.0`` for what rounds to it."""
    text = f"{gain:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


@dataclass(frozen=True)
class Point:
    """One run: what it trains and what it scores on average."""

    name: str
    parameters: int
    score: float


@dataclass(frozen=True)
class CostsAndScores:
    """Runs in the order they were trained; those that train nothing, such as the base model, apart."""

    trained: Sequence[Point]
    untrained: Sequence[Point]
    signature: str

    @property
    def front(self) -> list[Point]:
        """The runs that no cheaper run equals, the cheapest first."""
        best: list[Point] = []
        for run in sorted(self.trained, key=lambda run: (run.parameters, -run.score)):
            if not best or run.score > best[-1].score:
                best.append(run)
        return best


def costs_and_scores(
    evaluations: Sequence[EvaluationResult], trainings: Sequence[TrainingResult]
) -> CostsAndScores:
    """Trainable parameters and average spBLEU of runs.

    Raises InputError where no run was trained or the metrics differ.
    """
    _check_comparable(evaluations)
    averages = {run.run: run.average for run in evaluations}
    trained = [
        Point(training.run, training.trainable_parameters, averages.pop(training.run))
        for training in trainings
        if training.run in averages
    ]
    if not trained:
        raise InputError(
            "there is no trained run with scores to draw", "make one: lslo train, then lslo evaluate"
        )
    untrained = [Point(name, 0, average) for name, average in averages.items()]
    return CostsAndScores(trained, untrained, evaluations[0].spbleu_signature)


def _check_comparable(evaluations: Sequence[EvaluationResult]) -> None:
    for run in evaluations:
        first = evaluations[0]
        if run.spbleu_signature != first.spbleu_signature:
            raise InputError(
                f"runs {first.run} and {run.run} were scored with different metrics: "
                f"{first.spbleu_signature} and {run.spbleu_signature}",
                "score them alike: lslo evaluate --force",
            )
