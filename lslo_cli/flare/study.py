"""The results of a FLARE experiment over seeds, for its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from statistics import fmean

from lslo_cli.errors import InputError
from lslo_cli.flare.results import FlareEvaluationResult, FlareTrainingResult, Prediction
from lslo_cli.method.flare import FlareMethod, FlareRun, SourceGiven
from lslo_cli.method.source_reliance import Reliance, agreement, reliance, repeated_errors
from lslo_cli.method.task_scores import accuracy, macro_f1
from lslo_cli.report.study import spread
from lslo_cli.report.table import Spread
from lslo_cli.wording import Command

Key = tuple[int, str]
"""A seed and a language."""

Answers = Mapping[Key, str]
"""Answers to the tests, one digit for each row."""


Score = Callable[[Prediction], float | None]
"""A score of a test."""

SCORE: Score = attrgetter("score")
"""The task's own score."""
TOKEN_F1: Score = attrgetter("token_f1")
"""The second score of questions."""


@dataclass(frozen=True)
class FlareStudy:
    """The evaluated artifacts of an experiment by seed and language.

    Scores are by language, with controls; those of the first paper's
    :class:`~lslo_cli.report.study.Study` are by group of directions.
    """

    evaluations: Mapping[Key, FlareEvaluationResult]
    trainings: Mapping[Key, FlareTrainingResult]

    def __post_init__(self) -> None:
        if not self.evaluations:
            raise InputError("there is no evaluation to report", "make one", Command("flare evaluate"))

    @property
    def seeds(self) -> list[int]:
        return sorted({seed for seed, _ in self.evaluations})

    @property
    def seed_counts(self) -> set[int]:
        """The numbers of seeds that runs have in a language: several if some are missing."""
        tests = Counter((run, language) for run in self._tested for _, language in self.tests(run))
        return set(tests.values())

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
    def has_labels(self) -> bool:
        """Whether answers are labels, which a source can lend; those of questions are spans of a text."""
        return any(result.labels for result in self.evaluations.values())

    @cached_property
    def is_parallel(self) -> bool:
        """Whether the languages' tests are translations of each other: the same labels in the same order."""
        return self.has_labels and len({result.gold for result in self.evaluations.values()}) == 1

    @property
    def runs(self) -> list[str]:
        """Every run that was tested, in the order of the methods, each method's default first."""
        return sorted(self._tested, key=lambda name: FlareRun.parse(name).sort_key)

    @cached_property
    def _tested(self) -> list[str]:
        """Every run in the order of the tests, which is the recipe's."""
        tests = (test for result in self.evaluations.values() for test in result.predictions)
        return list(dict.fromkeys(test.run for test in tests))

    def run_of(self, method: str) -> str | None:
        """The run that stands for a method: its default, or else the first of the recipe."""
        names = [run for run in self._tested if FlareRun.parse(run).method == method]
        default = str(FlareRun(FlareMethod(method)))
        return default if default in names else next(iter(names), None)

    def run_and_noisy(self, method: str) -> list[str]:
        """The run that stands for a method, then the same run with its own noise in training."""
        first = self.run_of(method)
        if first is None:
            return []
        plain = replace(FlareRun.parse(first), train_noise=None)
        return [run for run in self.runs if replace(FlareRun.parse(run), train_noise=None) == plain]

    @cached_property
    def noise(self) -> list[float]:
        """The shares of words changed in the tests' sources; tables and controls use the first."""
        tests = (test for result in self.evaluations.values() for test in result.predictions)
        return list(dict.fromkeys(test.noise for test in tests))

    def tests(
        self, run: str, source: SourceGiven = SourceGiven.MATCHED, noise: float | None = None
    ) -> dict[Key, Prediction]:
        """One run's predictions by seed and language; ``noise`` is the first share by default."""
        noise = self.noise[0] if noise is None else noise
        return {
            key: test
            for key, result in self.evaluations.items()
            for test in result.predictions
            if test.run == run and test.source == source and test.noise == noise
        }

    def averages_with_noise(self, run: str, noise: float) -> dict[int, float]:
        """A run's mean over languages by seed, with noise in its sources if it reads them."""
        reads = FlareRun.parse(run).method.reads_source
        tests = self.tests(run, noise=noise if reads else None)
        return self._means({key: test.score for key, test in tests.items()})

    @property
    def has_token_f1(self) -> bool:
        """Whether answers have token F1 too, as in question answering."""
        return any(
            test.token_f1 is not None for result in self.evaluations.values() for test in result.predictions
        )

    def by_language(
        self, run: str, source: SourceGiven = SourceGiven.MATCHED, score: Score = SCORE
    ) -> dict[str, Spread]:
        """A run's scores in every language, over seeds."""
        found: dict[str, list[float]] = {}
        for (_, language), value in self._scored(run, source, score).items():
            found.setdefault(language, []).append(value)
        return {language: Spread.of(found[language]) for language in self.languages if language in found}

    def averages(
        self, run: str, source: SourceGiven = SourceGiven.MATCHED, score: Score = SCORE
    ) -> dict[int, float]:
        """A run's mean over languages, for every seed that has all of them."""
        return self._means(self._scored(run, source, score))

    def average(
        self, run: str, source: SourceGiven = SourceGiven.MATCHED, score: Score = SCORE
    ) -> Spread | None:
        """A run's mean over languages, over seeds; None if no seed has all languages."""
        return spread(self.averages(run, source, score).values())

    def common_seeds(self, runs: Iterable[str]) -> list[int]:
        """The seeds in which every one of ``runs`` has all languages, so that they compare."""
        whole = [self.averages(run).keys() for run in runs]
        return [seed for seed in self.seeds if whole and all(seed in each for each in whole)]

    def means(self, run: str, seeds: Sequence[int]) -> dict[str, float]:
        """A run's mean over ``seeds`` in every language."""
        tests = self.tests(run)
        return {each: fmean(tests[seed, each].score for seed in seeds) for each in self.languages}

    def _scored(self, run: str, source: SourceGiven, score: Score) -> dict[Key, float]:
        """A run's scores by seed and language, if it has that score."""
        found = {key: score(test) for key, test in self.tests(run, source).items()}
        return {key: value for key, value in found.items() if value is not None}

    def answers(self, run: str, source: SourceGiven = SourceGiven.MATCHED) -> Answers:
        """A run's answers to every test."""
        return {key: test.answers for key, test in self.tests(run, source).items()}

    def wrong_labels(self) -> Answers:
        """The labels of the wrong sources, as answers; none if answers are spans."""
        if not self.has_labels:
            return {}
        return {
            key: "".join(result.gold[row] for row in result.shuffled)
            for key, result in self.evaluations.items()
            if result.shuffled
        }

    def wrong_answers(self) -> Answers:
        """Translate-test's answers to the wrong sources: those of a run that only repeats its source's.

        None if answers are spans.
        """
        said = self.answers(str(FlareMethod.TRANSLATE_TEST)) if self.has_labels else {}
        wrong = {key: self.evaluations[key].shuffled for key in said}
        return {key: "".join(said[key][row] for row in rows) for key, rows in wrong.items() if rows}

    def scores(self, answers: Answers) -> dict[Key, float]:
        """The scores of ``answers``."""
        return {key: _score(self.evaluations[key], given) for key, given in answers.items()}

    def chances(self) -> dict[int, float]:
        """The scores of the wrong sources' labels, by seed: the most that a wrong source can tell.

        Empty if answers are spans.
        """
        return self._means(self.scores(self.wrong_labels()))

    def reliances(self, run: str) -> list[Reliance]:
        """A run's answers to wrong sources by seed and language, without tests whose labels are all the same.

        Empty if answers are spans.
        """
        if not self.has_labels:
            return []
        found = (
            reliance(digits(test.answers), digits(self.evaluations[key].gold), self.evaluations[key].shuffled)
            for key, test in self.tests(run, SourceGiven.SHUFFLED).items()
        )
        return [each for each in found if each is not None]

    def agreements(self, run: str, source: SourceGiven = SourceGiven.MATCHED) -> list[float]:
        """The shares of rows in which a run gives translate-test's answer to the source that it got.

        One for every seed and language; none if answers are spans, or the source is not an English text.
        """
        if FlareRun.parse(run).method is FlareMethod.FLARE_MT or not self.has_labels:
            return []
        if source is SourceGiven.SHUFFLED:
            reference = self.wrong_answers()
        else:
            reference = self.answers(str(FlareMethod.TRANSLATE_TEST))
        return [
            agreement(digits(said), digits(reference[key]))
            for key, said in self.answers(run, source).items()
            if key in reference
        ]

    def repeated_errors(self, run: str) -> list[float]:
        """The shares of translate-test's errors that a run repeats, for every seed and language.

        Empty if answers are spans: two wrong ones need not be the same.
        """
        if not self.has_labels:
            return []
        reference = self.tests(str(FlareMethod.TRANSLATE_TEST))
        shares = (
            repeated_errors(
                digits(test.answers), digits(reference[key].answers), digits(self.evaluations[key].gold)
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


def digits(text: str) -> list[int]:
    """Answers as numbers."""
    return list(map(int, text))


def _score(result: FlareEvaluationResult, answers: str) -> float:
    if result.metric == "macro-F1":
        return macro_f1(digits(answers), digits(result.gold), len(result.labels))
    return accuracy(digits(answers), digits(result.gold))
