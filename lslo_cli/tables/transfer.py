"""The tables of ``lslo flare report``: scores, the paper's beside them, controls, costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from lslo_cli.artifacts.transfer_results import (
    Prediction,
    TransferEvaluationResult,
    TransferTrainingResult,
)
from lslo_cli.errors import InputError
from lslo_cli.method.flare_headline import MODELS, headline
from lslo_cli.method.source_reliance import Reliance, reliance, repeated_errors
from lslo_cli.method.task_scores import average_ranks
from lslo_cli.method.transfer import SourceGiven, Transfer, TransferRun
from lslo_cli.tables.table import Cell, Column, Difference, Spread, Table, thousands, two_decimals

PAPER_TASKS = {"nusax": "NusaX", "xnli": "XNLI"}


def one_decimal(value: float) -> str:
    return f"{value:.1f}"


def percentage(value: float) -> str:
    return f"{value:.0f} %"


@dataclass(frozen=True)
class TransferStudy:
    """The artifacts of an experiment by seed and language; only what was evaluated is in it."""

    evaluations: Mapping[tuple[int, str], TransferEvaluationResult]
    trainings: Mapping[tuple[int, str], TransferTrainingResult]

    def __post_init__(self) -> None:
        if not self.evaluations:
            raise InputError("there is no evaluation to report", "make one: lslo flare evaluate")

    @property
    def seeds(self) -> list[int]:
        return sorted({seed for seed, _ in self.evaluations})

    @property
    def languages(self) -> list[str]:
        return list(dict.fromkeys(language for _, language in self.evaluations))

    @property
    def metric(self) -> str:
        return next(iter(self.evaluations.values())).metric

    @property
    def task(self) -> str:
        return next(iter(self.evaluations.values())).task

    @property
    def runs(self) -> list[str]:
        """Every run that was tested, in the order of the methods."""
        names = {test.run for result in self.evaluations.values() for test in result.predictions}
        return sorted(names, key=_order)

    def tests(self, run: str, source: SourceGiven) -> dict[tuple[int, str], Prediction]:
        """One run's predictions by seed and language."""
        return {
            key: test
            for key, result in self.evaluations.items()
            for test in result.predictions
            if test.run == run and test.source == source
        }

    def by_language(self, run: str, source: SourceGiven = SourceGiven.MATCHED) -> dict[str, Spread]:
        """A run's scores in every language, over seeds."""
        tests = self.tests(run, source)
        found: dict[str, list[float]] = {}
        for (_, language), test in tests.items():
            found.setdefault(language, []).append(test.score)
        return {language: Spread.of(found[language]) for language in self.languages if language in found}

    def average(self, run: str, source: SourceGiven = SourceGiven.MATCHED) -> Spread | None:
        """A run's mean over languages, over the seeds that have all languages; None where none has."""
        tests = self.tests(run, source)
        means = [
            fmean(tests[seed, language].score for language in self.languages)
            for seed in self.seeds
            if all((seed, language) in tests for language in self.languages)
        ]
        return Spread.of(means) if means else None


def score_by_language_table(study: TransferStudy) -> Table:
    """Every run's score in every language, its mean, and its average rank over languages."""
    complete = {run: study.by_language(run) for run in study.runs}
    complete = {run: scores for run, scores in complete.items() if len(scores) == len(study.languages)}
    ranks = average_ranks({run: {k: s.mean for k, s in scores.items()} for run, scores in complete.items()})
    columns = (
        Column("run"),
        *(Column(language, one_decimal) for language in study.languages),
        Column("mean", two_decimals),
        Column("rank", one_decimal),
    )
    rows = []
    for run in study.runs:
        scores = study.by_language(run)
        rows.append(
            (run, *(scores.get(language) for language in study.languages), study.average(run), ranks.get(run))
        )
    return Table(
        f"{study.metric} by target language",
        columns,
        tuple(rows),
        notes=(
            f"Mean ± sample standard deviation over seeds {', '.join(map(str, study.seeds))}; rank is the "
            "mean over languages of the rank of the mean.",
        ),
    )


def beside_paper_table(study: TransferStudy) -> Table:
    """Our means beside the paper's headline for the same task, method by method."""
    task = PAPER_TASKS[study.task]
    paper = {model: headline(model) for model in MODELS}
    columns = (
        Column("method"),
        Column("ours", two_decimals),
        Column("ours less LoRA", two_decimals),
        *(Column(model, two_decimals) for model in MODELS),
        Column(f"{MODELS[0]} less LoRA", two_decimals),
    )
    lora = study.average(str(Transfer.LORA))
    rows: list[tuple[Cell, ...]] = []
    for method in paper[MODELS[0]]:
        run = next((name for name in study.runs if TransferRun.parse(name).method == method), None)
        ours = study.average(run) if run else None
        first = paper[MODELS[0]]
        rows.append(
            (
                method,
                ours,
                Difference(ours.mean - lora.mean) if ours and lora else None,
                *(paper[model][method][task] for model in MODELS),
                Difference(first[method][task] - first["lora"][task]),
            )
        )
    return Table(
        f"{task} beside the paper's headline table",
        columns,
        tuple(rows),
        notes=(
            "The last five columns are the paper's, whose models are 15 to 400 times as large and were "
            "pretrained on many languages: compare the differences to LoRA, not the scores.",
        ),
    )


def control_table(study: TransferStudy) -> Table:
    """Every fused run with the right source, none, and a wrong one, and how far it repeats the source."""
    columns = (
        Column("run"),
        Column("right", one_decimal),
        Column("none", one_decimal),
        Column("shuffled", one_decimal),
        Column("source's label", percentage),
        Column("own label", percentage),
        Column("repeats", percentage),
    )
    rows = []
    for run in study.runs:
        reliances, repeats = _reliances(study, run), _repeats(study, run)
        rows.append(
            (
                run,
                study.average(run),
                study.average(run, SourceGiven.NONE),
                study.average(run, SourceGiven.SHUFFLED),
                Spread.of([found.source for found in reliances]) if reliances else None,
                Spread.of([found.target for found in reliances]) if reliances else None,
                Spread.of(repeats) if repeats else None,
            )
        )
    return Table(
        "Controls: what the source is worth",
        columns,
        tuple(rows),
        notes=(
            f"Mean {study.metric} over languages with the right source, with none and with that of another "
            "row. Of the rows that got a source with another label: how many were answered with the source's "
            "label, and how many with their own. Repeats: how many of translate-test's errors were made "
            "again.",
        ),
    )


def cost_table(study: TransferStudy) -> Table:
    """Parameters and time of every method, as ratios to LoRA's in the same seed and language."""
    columns = (
        Column("run"),
        Column("trainable", thousands),
        Column("in adapters", thousands),
        Column("s/update", two_decimals),
        Column("over LoRA", two_decimals),
    )
    rows = []
    for name in study.runs:
        found = {key: run for key, result in study.trainings.items() if (run := result.run(name))}
        steps = {key: run.step_seconds for key, run in found.items() if run.step_seconds}
        if not steps:
            continue
        ratios = [
            seconds / reference.step_seconds
            for key, seconds in steps.items()
            if (reference := study.trainings[key].run(str(Transfer.LORA)))
        ]
        run = next(iter(found.values()))
        rows.append(
            (
                name,
                run.trainable_parameters,
                run.adapter_parameters,
                median(steps.values()),
                median(ratios) if ratios else None,
            )
        )
    return Table(
        "Cost of training",
        columns,
        tuple(rows),
        notes=(
            "Medians over seeds and languages of each run's median update. Source states are made once for a "
            "run and are not in it.",
        ),
    )


def _reliances(study: TransferStudy, run: str) -> list[Reliance]:
    found = []
    for key, test in study.tests(run, SourceGiven.SHUFFLED).items():
        result = study.evaluations[key]
        found.append(reliance(_digits(test.answers), _digits(result.gold), result.shuffled))
    return found


def _repeats(study: TransferStudy, run: str) -> list[float]:
    reference = study.tests(str(Transfer.TRANSLATE_TEST), SourceGiven.MATCHED)
    shares = (
        repeated_errors(
            _digits(test.answers), _digits(reference[key].answers), _digits(study.evaluations[key].gold)
        )
        for key, test in study.tests(run, SourceGiven.MATCHED).items()
        if key in reference
    )
    return [share for share in shares if share is not None]


def _digits(text: str) -> list[int]:
    return list(map(int, text))


def _order(name: str) -> tuple[int, str]:
    run = TransferRun.parse(name)
    fusions: Sequence[str] = [str(TransferRun(Transfer.FLARE))]
    return (list(Transfer).index(run.method), "" if name in fusions else name)


def transfer_tables(study: TransferStudy) -> Iterable[Table]:
    """All of them, in the order of a report."""
    yield score_by_language_table(study)
    if study.task in PAPER_TASKS:
        yield beside_paper_table(study)
    yield control_table(study)
    yield cost_table(study)
