"""What the seeds of a FLARE experiment found, as its tables need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from lslo_cli.errors import InputError
from lslo_cli.flare.results import (
    FlareEvaluationResult,
    FlareTrainingResult,
    Prediction,
)
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven
from lslo_cli.method.source_reliance import Reliance, reliance, repeated_errors
from lslo_cli.method.task_scores import accuracy, macro_f1
from lslo_cli.report.table import Spread

Key = tuple[int, str]
"""A seed and a language."""


@dataclass(frozen=True)
class FlareStudy:
    """The artifacts of an experiment by seed and language; only what was evaluated is in it."""

    evaluations: Mapping[Key, FlareEvaluationResult]
    trainings: Mapping[Key, FlareTrainingResult]

    def __post_init__(self) -> None:
        if not self.evaluations:
            raise InputError("there is no evaluation to report", "make one: lslo flare evaluate")

    @property
    def seeds(self) -> list[int]:
        return sorted({seed for seed, _ in self.evaluations})

    @property
    def languages(self) -> list[str]:
        return sorted({language for _, language in self.evaluations})

    @property
    def metric(self) -> str:
        return next(iter(self.evaluations.values())).metric

    @property
    def task(self) -> str:
        return next(iter(self.evaluations.values())).task

    @property
    def runs(self) -> list[str]:
        """Every run that was tested, in the order of the methods, each method's default first."""
        names = {test.run for result in self.evaluations.values() for test in result.predictions}
        return sorted(names, key=_order)

    def run_of(self, method: str) -> str | None:
        """The run that a bare method stands for: its default, or else the first there is."""
        return next((run for run in self.runs if FlareRun.parse(run).method == method), None)

    def tests(self, run: str, source: SourceGiven = SourceGiven.MATCHED) -> dict[Key, Prediction]:
        """One run's predictions by seed and language."""
        return {
            key: test
            for key, result in self.evaluations.items()
            for test in result.predictions
            if test.run == run and test.source == source
        }

    def by_language(self, run: str, source: SourceGiven = SourceGiven.MATCHED) -> dict[str, Spread]:
        """A run's scores in every language, over seeds."""
        found: dict[str, list[float]] = {}
        for (_, language), test in self.tests(run, source).items():
            found.setdefault(language, []).append(test.score)
        return {language: Spread.of(found[language]) for language in self.languages if language in found}

    def averages(self, run: str, source: SourceGiven = SourceGiven.MATCHED) -> dict[int, float]:
        """A run's mean over languages, for every seed that has all of them."""
        return self._means({key: test.score for key, test in self.tests(run, source).items()})

    def average(self, run: str, source: SourceGiven = SourceGiven.MATCHED) -> Spread | None:
        """A run's mean over languages, over seeds; None where no seed has all languages."""
        means = self.averages(run, source)
        return Spread.of(list(means.values())) if means else None

    def chances(self) -> dict[int, float]:
        """What the labels of the wrong sources score, by seed: all that reading a wrong source can give."""
        return self._means({key: _chance(result) for key, result in self.evaluations.items()})

    def reliances(self, run: str) -> list[Reliance]:
        """What a run answers to wrong sources by seed and language; nothing where answers are spans."""
        return [
            reliance(_digits(test.answers), _digits(result.gold), result.shuffled)
            for key, test in self.tests(run, SourceGiven.SHUFFLED).items()
            if (result := self.evaluations[key]).labels
        ]

    def repeated_errors(self, run: str) -> list[float]:
        """The shares of translate-test's errors that a run repeats, for every seed and language."""
        reference = self.tests(str(FlareMethod.TRANSLATE_TEST))
        shares = (
            repeated_errors(
                _digits(test.answers), _digits(reference[key].answers), _digits(self.evaluations[key].gold)
            )
            for key, test in self.tests(run).items()
            if key in reference
        )
        return [share for share in shares if share is not None]

    def _means(self, scores: Mapping[Key, float]) -> dict[int, float]:
        return {
            seed: fmean(scores[seed, language] for language in self.languages)
            for seed in self.seeds
            if all((seed, language) in scores for language in self.languages)
        }


def _chance(result: FlareEvaluationResult) -> float:
    """The score of the shuffled rows' labels; where answers are spans, another row's is never right."""
    if not result.labels:
        return 0.0
    gold = _digits(result.gold)
    answers = [gold[row] for row in result.shuffled]
    if result.metric == "accuracy":
        return accuracy(answers, gold)
    return macro_f1(answers, gold, len(result.labels))


def _digits(text: str) -> list[int]:
    return list(map(int, text))


def _order(name: str) -> tuple[int, str]:
    run = FlareRun.parse(name)
    is_default = run == FlareRun(run.method)
    return list(FlareMethod).index(run.method), "" if is_default else name
